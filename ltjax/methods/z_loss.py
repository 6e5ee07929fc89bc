"""Z-loss."""

from ltjax.methods.base import Method, Stage
from ltjax.registry import register


@register("method", "z_loss", cite="arXiv:1604.08859", bounds={"slope": (1e-6, 1e6), "offset": (-1e6, 1e6)})
def z_loss(*, slope=1.0, offset=0.0):
    """The label's z-score among the logits is pushed up; probabilities mean nothing, the largest logit decides.

    The authors tune slope and offset per data set, and their example sums over the batch where this takes the mean:
    multiply the rate by the batch to follow it. It was made for many classes, not for long tails.

    Args:
      slope: how sharply scores below the offset are punished; offset: the score aimed at.
    """
    return Method(stages=(Stage(objective=dict(name="z_loss", slope=slope, offset=offset)),))
