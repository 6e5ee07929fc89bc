"""Seesaw loss."""

from ltjax.methods.base import Method, Stage
from ltjax.registry import register


@register("method", "seesaw", cite="arXiv:2008.10032")
def seesaw(*, mitigation=0.8, compensation=2.0):
    """Cross-entropy that spares a class the rarer it was so far, and presses it the more it wins by mistake.

    Args:
      mitigation: exponent of the ratio of counts; compensation: of the ratio of scores.
    """
    return Method(stages=(Stage(objective=dict(name="seesaw", mitigation=mitigation, compensation=compensation)),))
