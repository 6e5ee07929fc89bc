"""Learnable weight scaling: one factor per class on a trained classifier."""

from ltjax.methods.base import Method, Stage
from ltjax.methods.crt import COSINE
from ltjax.registry import register


@register("method", "lws", cite="arXiv:1910.09217", bounds={"scale_share": (0.0, 1.0), "lr": (0.0, 1e6)},
          choices={"batchnorm": ("batch", "running")})
def lws(*, loss="ce", scale_share=0.1, lr=0.2, sampler="class_aware", batchnorm="batch"):
    """Stage 1 as usual; stage 2 trains s in logits = s_c (w_c . h + b_c) on class-balanced batches.

    The scales start at 1 and are decayed towards 0, as in the authors' code.

    Args:
      loss: of stage 1; scale_share: share of the epochs for the scales; lr: base rate of stage 2.
      sampler, batchnorm: as in `crt`.
    """
    features = Stage("features", 1 - scale_share, objective=loss)
    scales = Stage("scales", scale_share, head="scaled", sampler=sampler, train="head/scale", batchnorm=batchnorm,
                   optim=dict(lr=lr, schedule=COSINE))
    return Method(stages=(features, scales))
