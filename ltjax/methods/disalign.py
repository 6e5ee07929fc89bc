"""Distribution alignment: a learned, confidence-gated calibration of a trained classifier."""

from ltjax.methods.base import Entry, Method, Stage
from ltjax.registry import register


@register("method", "disalign", cite="arXiv:2103.16370",
          bounds={"align_share": (0.0, 1.0), "rho": (0.0, 1e2), "lr": (0.0, 1e6)},
          choices={"batchnorm": ("batch", "running")})
def disalign(*, loss="ce", align_share=0.1, rho=1.2, lr=0.1, identity=False, batchnorm="batch"):
    """Stage 1 as usual; stage 2 trains scale, offset and confidence on top of the frozen logits, re-weighted.

    Args:
      loss: of stage 1; align_share: share of the epochs for stage 2.
      rho: exponent of the inverse prior in the weights (1.5 on a cosine head).
      lr: base rate of stage 2, half a cosine.
      identity: start from the logits of stage 1, as the paper writes; the authors' classification code does not.
      batchnorm: `batch` as released (the frozen trunk goes on moving its statistics), `running` to keep them.
    """
    features = Stage("features", 1 - align_share, objective=loss)
    entry = Entry("ce", weights=dict(name="grw", rho=rho), normaliser="weight_sum")
    align = Stage("align", align_share, objective=(entry,), head=dict(name="disalign", identity=identity),
                  train="head/(scale|offset|confidence/.*)", batchnorm=batchnorm,
                  optim=dict(lr=lr, schedule=dict(name="cosine")))
    return Method(stages=(features, align))
