"""Mixup with a ratio per row that leans towards the rarer class."""

import jax
import jax.numpy as jnp

from ltjax.mixers.base import Mixed, Mixer, blend, class_counts, row_keys, windowed
from ltjax.registry import register


@register("mixer", "unimix", cite="arXiv:2111.03874", other="sampler", per_row=("beta",),
          bounds={"alpha": (1e-3, 1e3), "probability": (0.0, 1.0)})
def unimix(*, alpha: float = 0.8, probability: float = 1.0, after: int = 0,
           until: int | None = None) -> Mixer:
    r"""Blends each row with its partner, by a ratio of its own that depends on both class counts.

    .. math:: \lambda_i = \left(\beta_i + \frac{n_j}{n_i + n_j}\right) \bmod 1, \quad
              \beta_i \sim \mathrm{Beta}(\alpha, \alpha)

    The partner is meant to come from the second sampler `in_batch`, which draws it from the same batch.

    Args:
      alpha: of the Beta, drawn for every row.
      probability, after, until: see `mixup`.
    Values: `beta`, one number per row.
    Reference: Xu et al. 2021; a sum of exactly 1 stays 1, as released.
    """

    def draw(key, batch, ctx):
        keys = row_keys(key, batch, ctx)
        return {"beta": jax.vmap(lambda k: jax.random.beta(k, alpha, alpha))(keys)}

    def mix(batch, values, stats):
        other, beta = batch["other"], jnp.asarray(values["beta"])
        mine, theirs = (class_counts(stats, b["label"], beta.dtype) for b in (batch, other))
        moved = beta + theirs / (mine + theirs)
        ratio = jnp.where(moved > 1, moved - 1, moved)
        return Mixed(blend(batch["x"], other["x"], ratio), other["label"], ratio)

    return windowed(draw, mix, probability=probability, after=after, until=until)
