"""Logit adjustment, in the loss and after training."""

from ltjax.methods.base import Method, Stage
from ltjax.registry import register

TENTHS = dict(name="steps", factors=(0.1, 0.01), warmup=0.025)
"""The usual drops at 80 % and 90 %, but to 1/10 and 1/100."""


@register("method", "logit_adjusted", cite="arXiv:2007.07314", bounds={"tau": (0.0, 10.0), "epsilon": (0.0, 1.0)})
def logit_adjusted(*, tau=1.0, epsilon=1e-12):
    """The logit-adjusted loss under the paper's recipe (drops to 1/10 and 1/100, decay 1e-4).

    The released code trains six times longer, with Nesterov momentum; the published table is the paper's recipe.

    Args:
      tau: strength; epsilon: inside the logarithm of the prior, as released.
    """
    optim = dict(weight_decay=1e-4, schedule=TENTHS)
    return Method(stages=(Stage(objective=dict(name="logit_adjusted", tau=tau, epsilon=epsilon), optim=optim),))


@register("method", "logit_adjust", cite="arXiv:2007.07314", bounds={"tau": (0.0, 10.0)})
def logit_adjust(*, tau=1.0):
    """Cross-entropy training; tau times the log prior is subtracted from the logits at test time."""
    return Method(posthoc=(dict(name="logit_adjust", tau=tau),))


@register("method", "logit_adjust_tuned", cite="arXiv:2007.07314",
          bounds={"largest": (0.1, 100.0), "points": (2, 10001)}, probe={"measure": "balanced_nll"})
def logit_adjust_tuned(*, largest=3.0, points=61, measure="balanced_accuracy"):
    """Cross-entropy training; the strength of the adjustment is the one that is best on the validation split.

    Args:
      largest, points: the strength is one of so many values from 0 to the largest.
      measure: what it maximises, see `ltjax list posthoc logit_adjust_tuned`.
    """
    return Method(posthoc=(dict(name="logit_adjust_tuned", largest=largest, points=points, measure=measure),))
