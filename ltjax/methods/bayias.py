"""Bayias: cross-entropy compensated for the priors of training and test."""

from ltjax.methods.base import Method, Stage
from ltjax.methods.cifar import cifar
from ltjax.registry import register


@register("method", "bayias", cite="arXiv:2111.03874", probe={"target_prior": tuple(range(1, 11))})
def bayias(*, target_prior=()):
    """Logits are trained with the training prior added and the test prior taken off; they are used as they are.

    With a uniform test prior the gradients are those of `balanced_softmax`. The published figures are those of
    `unimix`, which trains this loss on blended batches.

    Args:
      target_prior: the test prior, a number per class up to a factor; none is uniform.
    """
    objective = dict(name="bayias", target_prior=target_prior)
    return Method(stages=(Stage(objective=objective),), recipe=cifar(batch=64))
