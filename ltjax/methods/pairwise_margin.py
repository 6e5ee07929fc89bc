"""The pairwise-margin family: adaptive margins, equalised margins and plain balancing under one recipe."""

from ltjax.methods.base import Method, Stage
from ltjax.methods.cifar import cifar
from ltjax.methods.logit_adjusted import TENTHS
from ltjax.registry import register


@register("method", "pairwise_margin", cite="arXiv:2007.07314",
          bounds={"tau": (0.0, 1e2), "threshold": (0.0, 1.0), "gamma": (1e-30, 1.0)},
          choices={"kind": ("adaptive_margin", "equalised", "balanced", "logit_adjust")})
def pairwise_margin(*, kind="adaptive_margin", tau=1.0, threshold=0.005, gamma=0.1):
    """A margin between each pair of classes, or a weight per class, by one of four rules.

    The baselines of the logit-adjustment paper in its unifying form and under its recipe; written from the formula,
    since no code was released for it.

    Args:
      kind: `adaptive_margin` is LDAM without scale, `equalised` spares classes below the threshold, `balanced` weighs
        by the inverse prior, `logit_adjust` is the paper's own loss.
      tau: of `logit_adjust`; threshold, gamma: of `equalised`.
    """
    objective = dict(name="pairwise_margin", kind=kind, tau=tau, threshold=threshold, gamma=gamma)
    return Method(stages=(Stage(objective=objective, optim=dict(weight_decay=1e-4, schedule=TENTHS)),), recipe=cifar())
