"""Equalization loss v2."""

from ltjax.methods.base import Method, Stage
from ltjax.registry import register


@register("method", "equalization_v2", cite="arXiv:2012.08548", bounds={"columns": (0, 1000)})
def equalization_v2(*, gamma=12.0, mu=0.8, alpha=4.0, columns=0):
    """One sigmoid per class, weighted so that every class is pulled as much as it is pushed.

    Args:
      gamma, mu: slope and middle of the negative weight; alpha: gain of the positive one.
      columns: outputs beside the classes, 1 for the objectness of the authors' detectors.
    """
    objective = dict(name="equalization_v2", gamma=gamma, mu=mu, alpha=alpha)
    return Method(head=dict(name="linear", columns=columns), stages=(Stage(objective=objective),))
