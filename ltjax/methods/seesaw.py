"""Seesaw loss."""

from ltjax.methods.base import Method, Stage
from ltjax.registry import register


@register("method", "seesaw", cite="arXiv:2008.10032", bounds={"epsilon": (1e-30, 1.0)})
def seesaw(*, mitigation=0.8, compensation=2.0, epsilon=0.01):
    """Cross-entropy that spares a class the rarer it was so far, and presses it the more it wins by mistake.

    Args:
      mitigation: exponent of the ratio of counts; compensation: of the ratio of scores.
      epsilon: floor of the label's score.
    """
    objective = dict(name="seesaw", mitigation=mitigation, compensation=compensation, epsilon=epsilon)
    return Method(stages=(Stage(objective=objective),))
