"""GCL: logits of rare classes clouded with noise, then a balanced classifier."""

from ltjax.methods.base import Entry, Method, Stage
from ltjax.methods.mislas import DROPS
from ltjax.registry import register


@register("method", "gcl", cite="arXiv:2305.11733",
          bounds={"alpha": (1e-3, 1e3), "head_share": (0.0, 1.0), "lr": (0.0, 1e6), "scale": (0.0, 1e4),
                  "head_scale": (0.0, 1e4)})
def gcl(*, mixup=True, alpha=1.0, noise_scale=0.5, scale=30.0, head_share=0.13, lr=0.002, head_scale=20.0, margin=0.1,
        gamma=1.0, sampler="class_balanced"):
    """Noise in the logits, large for rare classes; then the cosine kernel alone on balanced batches, trunk frozen.

    Each label of a blended pair has noise of its own, as the released loop calls its criterion twice.

    Args:
      mixup, alpha: whether stage 1 blends, and its Beta.
      noise_scale: of the noise in both stages; scale: of the cosines in stage 1.
      head_share: share of the epochs for stage 2 (30 of 230).
      lr: base rate of stage 2, half a cosine; the released code arrives at a fiftieth of stage 1's.
      head_scale, margin, gamma: scale, margin of the label and focal exponent of stage 2.
      sampler: of stage 2.
    """
    noisy = dict(name="gcl", noise_scale=noise_scale)
    features = Stage("features", 1 - head_share, objective=(Entry({**noisy, "scale": scale}, pairs="each"),),
                     mixer=dict(name="mixup", alpha=alpha) if mixup else None, optim=dict(schedule=DROPS))
    head = Stage("head", head_share, sampler=sampler, train="head/.*", batchnorm="running",
                 objective={**noisy, "scale": head_scale, "margin": margin, "gamma": gamma},
                 optim=dict(lr=lr, schedule=dict(name="cosine")))
    return Method(head="cosine", stages=(features, head), posthoc=(dict(name="scale", factor=head_scale),),
                  recipe={"optim.epochs": 230, "optim.batch": 64})
