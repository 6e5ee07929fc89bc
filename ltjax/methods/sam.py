"""Sharpness-aware minimisation of any loss."""

from ltjax.methods.base import Method, Stage
from ltjax.registry import register


@register("method", "sam", cite="arXiv:2010.01412", bounds={"rho": (0.0, 100.0)})
def sam(*, loss="ce", rho=0.05, head="linear"):
    """Each step takes its gradient at the worst point of a small ball around the parameters; two passes per step.

    Args:
      loss: the loss that is minimised.
      rho: radius of the ball, 0.05 in the paper.
      head: the classifier, `cosine` for losses on cosines.
    """
    return Method(head=head, stages=(Stage(objective=loss, gradient=dict(name="sam", rho=rho)),))
