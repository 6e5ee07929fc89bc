"""Logit adjustment, in the loss and after training."""

from ltjax.methods.base import Method, Stage
from ltjax.registry import register


@register("method", "logit_adjusted", cite="arXiv:2007.07314", bounds={"tau": (0.0, 10.0), "epsilon": (0.0, 1.0)})
def logit_adjusted(*, tau=1.0, epsilon=1e-12):
    """The logit-adjusted loss under the paper's recipe (drops to 1/10 and 1/100, decay 1e-4).

    The released code trains six times longer, with Nesterov momentum; the published table is the paper's recipe.

    Args:
      tau: strength; epsilon: inside the logarithm of the prior, as released.
    """
    optim = dict(weight_decay=1e-4, schedule=dict(name="steps", factors=(0.1, 0.01), warmup=0.025))
    return Method(stages=(Stage(objective=dict(name="logit_adjusted", tau=tau, epsilon=epsilon), optim=optim),))


@register("method", "logit_adjust", cite="arXiv:2007.07314", bounds={"tau": (0.0, 10.0)})
def logit_adjust(*, tau=1.0):
    """Cross-entropy training; the scaled log prior is subtracted from the logits at test time."""
    return Method(posthoc=(dict(name="logit_adjust", tau=tau),))
