"""Mixup whose label ratio follows the margins that class sizes ask for."""

import jax
import jax.numpy as jnp
import numpy as np

from ltjax.mixers.base import Mixed, Mixer, blend, windowed
from ltjax.registry import register


@register("mixer", "mamix", cite="arXiv:2308.15457", other="permutation",
          bounds={"alpha": (1e-3, 1e3), "power": (-10.0, 10.0), "probability": (0.0, 1.0)})
def mamix(*, alpha: float = 1.0, power: float = -0.25, probability: float = 1.0, after: int = 0,
          until: int | None = None) -> Mixer:
    r"""Blends rows as mixup and moves the point where both labels count alike towards the common class.

    .. math:: \lambda_y = 1 - \frac{l}{2m} \text{ if } l < m, \quad \frac{1-l}{2(1-m)} \text{ else}, \quad
              m = \frac{n_i^f}{n_i^f + n_j^f}

    l is the share of the second row. Equal l and m, which the authors' code refuses, give the limit 1/2.

    Args:
      alpha: of l ~ Beta(alpha, alpha), one per batch.
      power: f, the exponent of the class counts.
      probability, after, until: see `mixup`.
    Values: `ratio` (1 - l), the share of the first row, one number.
    Reference: Cheng et al. 2023.
    """

    def draw(key, batch, ctx):
        return {"ratio": jax.random.beta(key, alpha, alpha)}

    def mix(batch, values, stats):
        other, share = batch["other"], jnp.asarray(values["ratio"])
        k = jnp.asarray((stats.counts / stats.counts.max()) ** power, share.dtype)
        mine, theirs = k[batch["label"]], k[other["label"]]
        return Mixed(blend(batch["x"], other["x"], share), other["label"],
                     margin_ratio(1 - share, mine / (mine + theirs)))

    return windowed(draw, mix, probability=probability, after=after, until=until)


def margin_ratio(second: jax.Array | np.ndarray, margin: jax.Array) -> jax.Array:
    """Weight of the first label when the second row has the share `second`; 1/2 at `second == margin`."""
    return jnp.where(second < margin, 1 - 0.5 * second / margin, 0.5 * (1 - second) / (1 - margin))
