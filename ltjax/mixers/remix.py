"""Mixup whose labels favour the rarer class."""

import jax
import jax.numpy as jnp

from ltjax.mixers.base import Mixed, Mixer, blend, class_counts, windowed
from ltjax.registry import register


@register("mixer", "remix", cite="arXiv:2007.03943", other="permutation",
          bounds={"alpha": (1e-3, 1e3), "kappa": (1.0, 1e9), "tau": (0.0, 1.0), "probability": (0.0, 1.0)})
def remix(*, alpha: float = 1.0, kappa: float = 3.0, tau: float = 0.5, probability: float = 1.0,
          after: int = 0, until: int | None = None) -> Mixer:
    r"""Blends rows as mixup; a pair of very unequal classes gets the label of the rarer one.

    .. math:: \lambda_y = 0 \text{ if } n_i/n_j \ge \kappa, \lambda < \tau; \quad
              1 \text{ if } n_i/n_j \le 1/\kappa, 1-\lambda < \tau; \quad \lambda \text{ else}

    Args:
      alpha: of lambda ~ Beta(alpha, alpha), one per batch.
      kappa: how unequal the counts must be; tau: how small the common class's share of the input.
      probability, after, until: see `mixup`.
    Values: `ratio` (lambda), one number.
    Reference: Chou et al. 2020.
    """

    def draw(key, batch, ctx):
        return {"ratio": jax.random.beta(key, alpha, alpha)}

    def mix(batch, values, stats):
        other, lam = batch["other"], jnp.asarray(values["ratio"])
        mine, theirs = (class_counts(stats, b["label"], lam.dtype) for b in (batch, other))
        to_other = (mine >= kappa * theirs) & (lam < tau)
        to_mine = (kappa * mine <= theirs) & (1 - lam < tau)
        ratio = jnp.where(to_other, 0.0, jnp.where(to_mine, 1.0, lam))
        return Mixed(blend(batch["x"], other["x"], lam), other["label"], ratio)

    return windowed(draw, mix, probability=probability, after=after, until=until)
