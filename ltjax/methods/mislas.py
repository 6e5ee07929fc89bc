"""MiSLAS: mixup for the features, label-aware smoothing for the classifier."""

from ltjax.methods.base import Entry, Method, Stage
from ltjax.registry import register

DROPS = dict(name="steps", at=(0.8, 0.9), factors=(0.1, 0.01), warmup=0.025)
"""Drops to 1/10 and 1/100 in stage 1 of MiSLAS and GCL."""


@register("method", "mislas", cite="arXiv:2104.00466",
          bounds={"alpha": (1e-3, 1e3), "head_share": (0.0, 1.0), "lr": (0.0, 1e6), "head_factor": (0.0, 1e3),
                  "smooth_head": (0.0, 1.0), "smooth_tail": (0.0, 1.0)},
          choices={"batchnorm": ("batch", "running"), "shape": ("concave", "linear", "convex", "exp")})
def mislas(*, mixup=True, alpha=1.0, head_share=0.05, lr=0.1, head_factor=0.2, smooth_head=0.4, smooth_tail=0.1,
           shape="concave", power=2.0, sampler="class_aware", batchnorm="batch"):
    """Stage 1 blends pairs; stage 2 trains kernel, bias and a scale per class on balanced, smoothed labels.

    Args:
      mixup, alpha: whether stage 1 blends, and its Beta (1 on CIFAR, 0.2 on large sets).
      head_share: share of the epochs for stage 2 (10 of 210).
      lr: base rate of the scales in stage 2; head_factor: that of kernel and bias relative to it (0.2 on CIFAR-100-LT
        at ratio 100, 0.1 below, 0.05 on large sets).
      smooth_head, smooth_tail, shape, power: of the smoothing (0.4 and 0.1 on CIFAR-100-LT at ratio 100, else 0.3
        and 0), see `ltjax list loss`.
      sampler: of stage 2.
      batchnorm: `batch` shifts the statistics of the frozen trunk in stage 2, `running` keeps them.
    """
    mixer = dict(name="mixup", alpha=alpha) if mixup else None
    features = Stage("features", 1 - head_share, objective=(Entry("ce", pairs="each"),), mixer=mixer,
                     optim=dict(schedule=DROPS))
    smoothing = dict(name="label_aware_smoothing", smooth_head=smooth_head, smooth_tail=smooth_tail, shape=shape,
                     power=power)
    head = Stage("head", head_share, objective=smoothing, head="scaled", sampler=sampler, train="head/.*",
                 batchnorm=batchnorm,
                 optim=dict(lr=lr, schedule=dict(name="cosine"), groups=(("head/(kernel|bias)", head_factor),)))
    return Method(stages=(features, head))
