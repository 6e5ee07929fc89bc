"""Focal loss."""

from ltjax.methods.base import Method, Stage
from ltjax.registry import register


@register("method", "focal", cite="arXiv:1708.02002", bounds={"gamma": (0.0, 100.0)})
def focal(*, gamma=1.0):
    """Multi-class focal loss; gamma 1 as in the long-tail code bases (2 in detection)."""
    return Method(stages=(Stage(objective=dict(name="focal", gamma=gamma)),))
