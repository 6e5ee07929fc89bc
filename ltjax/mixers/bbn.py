"""Two samplers side by side, their labels weighed by a parabola over the stage."""

import jax.numpy as jnp

from ltjax.mixers.base import Mixed, Mixer, windowed
from ltjax.registry import register


@register("mixer", "bbn", cite="arXiv:1912.02413", other="sampler", bounds={"probability": (0.0, 1.0)})
def bbn(*, probability: float = 1.0, after: int = 0, until: int | None = None) -> Mixer:
    r"""Leaves the inputs alone and moves the weight from the batch's labels to those of the second sampler.

    .. math:: \lambda = 1 - (t/T)^2

    t is the epoch and T the number of epochs of the stage, so that lambda is constant through an epoch.

    Args:
      probability, after, until: see `mixup`.
    Values: `ratio` (lambda), one number.
    Reference: Zhou et al. 2020, section 4.
    """

    def draw(key, batch, ctx):
        return {"ratio": 1 - jnp.square(jnp.asarray(ctx.epoch) / ctx.extra["epochs"])}

    def mix(batch, values, stats):
        return Mixed(batch["x"], batch["other"]["label"], jnp.asarray(values["ratio"]))

    return windowed(draw, mix, probability=probability, after=after, until=until)
