"""Mixup: every row blended with a partner row."""

import jax
import jax.numpy as jnp

from ltjax.mixers.base import Mixed, Mixer, blend, windowed
from ltjax.registry import register


@register("mixer", "mixup", cite="arXiv:1710.09412", bounds={"alpha": (1e-3, 1e3), "probability": (0.0, 1.0)},
          other="permutation")
def mixup(*, alpha: float = 1.0, probability: float = 1.0, after: int = 0, until: int | None = None) -> Mixer:
    r"""Blends rows and labels with one ratio per batch.

    .. math:: x = \lambda x_i + (1-\lambda) x_j, \quad \lambda \sim \mathrm{Beta}(\alpha, \alpha)

    Args:
      alpha: 1 on CIFAR-LT, 0.2 on the large sets (MiSLAS).
      probability: share of batches that are mixed.
      after, until: first step of the stage that mixes and first that no longer does.
    Values: `ratio` (lambda), one number.
    Reference: Zhang et al. 2018; one ratio per batch as in the released code of MiSLAS.
    """

    def draw(key, batch, ctx):
        return {"ratio": jax.random.beta(key, alpha, alpha)}

    def mix(batch, values, stats):
        other, ratio = batch["other"], jnp.asarray(values["ratio"])
        return Mixed(blend(batch["x"], other["x"], ratio), other["label"], ratio)

    return windowed(draw, mix, probability=probability, after=after, until=until)
