"""LADE: logits without the training prior."""

from ltjax.methods.base import Method, Stage
from ltjax.registry import register

THIRD = dict(name="steps", at=(0.6, 0.8), factors=(0.01, 0.0001), warmup=0.025, start=1 / 3, ahead=1)
"""Drops at 120 and 160 of 200 epochs, a warm-up from a third, and a scheduler stepped before the epoch."""


@register("method", "lade", cite="arXiv:2012.00321", bounds={"alpha": (0.0, 1e3), "remine": (0.0, 1e3)})
def lade(*, alpha=0.1, remine=0.01):
    """Prior-corrected cross-entropy with a regulariser that frees the logits of the training prior.

    Args:
      alpha: weight of the regulariser (0.1 on CIFAR, 0.05 on ImageNet-LT); remine: lambda inside it (0.01 and 0.5).
    """
    objective = dict(name="lade", alpha=alpha, remine=remine)
    stage = Stage(objective=objective, optim=dict(lr=0.2, weight_decay=5e-4, schedule=THIRD))
    return Method(stages=(stage,), recipe={"optim.epochs": 200, "optim.batch": 256})
