"""Bias loss."""

from ltjax.methods.base import Method, Stage
from ltjax.methods.cifar import cifar
from ltjax.registry import register

DROPS = dict(name="steps", at=(0.5, 0.7625), factors=(0.1, 0.01))
"""Drops to 1/10 and 1/100 after 80 and 122 of 160 epochs, no warm-up."""


@register("method", "bias_loss", cite="arXiv:2107.11170", bounds={"alpha": (0.0, 1e2), "beta": (-1e2, 1e2)},
          choices={"normalisation": ("global", "local")})
def bias_loss(*, alpha=0.3, beta=0.3, normalisation="global"):
    """Cross-entropy weighed by how varied the example's features are; meant for small networks, not for long tails.

    The authors take the variance over the last feature map; networks here hand out its mean over positions, so that
    the variance is that of the pooled features. Their figures are for balanced CIFAR-100.

    Args:
      alpha, beta: of the weight exp(alpha u) - beta.
      normalisation: where u starts: the lowest variance so far (`global`) or of the batch (`local`).
    """
    objective = dict(name="bias_loss", alpha=alpha, beta=beta, normalisation=normalisation)
    stage = Stage(objective=objective, optim=dict(lr=0.1, weight_decay=1e-4, schedule=DROPS))
    return Method(stages=(stage,), recipe=cifar(epochs=160))
