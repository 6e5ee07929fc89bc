"""Weights that follow the loss itself."""

import jax
import jax.numpy as jnp

from ltjax import registry
from ltjax.registry import register
from ltjax.terms.base import Term, mask_of, no_state, row_keys

STRATEGIES = {
    "linupper": lambda h, delta: jnp.minimum(h + delta, delta),
    "quadratic": lambda h, delta: 1 - h**2 / delta**2,
    "extremes": lambda h, delta: jnp.abs(h),
    "upper": lambda h, delta: 0.5 * h + 0.5 * delta,
}


def loss_weights(losses, mask, *, strategy, temperature, delta):
    """Weights [n] of all rows of the global batch, summing to 1; 0 for padding. No gradient."""
    losses, counted = jax.lax.stop_gradient(losses), mask > 0
    low = jnp.where(counted, losses, jnp.inf).min()
    high = jnp.where(counted, losses, -jnp.inf).max()
    h = delta * (2 * losses - (high + low)) / jnp.maximum(high - low, 1e-6)
    score = STRATEGIES[strategy](jnp.where(counted, h, 0), delta) / temperature
    return jax.nn.softmax(jnp.where(counted, score, -jnp.inf))


@register("term", "dynamic_loss_reweight", cite="arXiv:2502.06733", needs=(), value="batch",
          test_logits="neither", choices={"strategy": tuple(STRATEGIES)},
          bounds={"temperature": (1e-6, 1e6), "delta": (1e-6, 1e6), "after": (0.0, 1.0)},
          probe={"loss": "balanced_softmax", "after": 1})
def dynamic_loss_reweight(*, loss="ce", strategy="linupper", temperature=1.0, delta=1.0, after=0.0):
    r"""Weighs every example of the batch by where its loss lies between the lowest and the highest.

    .. math:: \sum_i w_i \ell_i, \quad w = \mathrm{softmax}(f(h) / r), \quad
        h = \delta\, \frac{2 \ell - (\ell_{\max} + \ell_{\min})}{\ell_{\max} - \ell_{\min}}

    Args:
      loss: name of the loss l.
      strategy: f, `linupper` min(h + delta, delta), `quadratic` 1 - h^2 / delta^2, `extremes` |h| or
        `upper` (h + delta) / 2, which only the code has.
      temperature: r; delta: range of h.
      after: share of the stage with the plain mean first (the authors' first 1000 steps).
    Lowest, highest and the softmax are those of the global batch; the weights carry no gradient.
    Reference: Sow et al. 2025, arXiv:2502.06733, section 3.
    """
    part = registry.get("loss", loss, "dynamic_loss_reweight.loss")

    def apply(state, outputs, batch, ctx):
        labels = batch["label"]
        supplied = {"stats": ctx.stats, "key": row_keys(ctx, labels.size), "weight": None}
        losses = part.fn(outputs["logits"], labels, **{name: supplied[name] for name in part.supplied})
        mask = mask_of(batch, losses.dtype)
        everyone, counted = ctx.across.same(losses), ctx.across.same(mask)
        weights = loss_weights(everyone, counted, strategy=strategy, temperature=temperature, delta=delta)
        weights = jnp.where(ctx.step >= after, weights, counted / counted.sum())
        mine = jax.lax.dynamic_slice_in_dim(weights, ctx.across.first(losses.size), losses.size)
        return ctx.across.total((mine * jnp.where(mask > 0, losses, 0)).sum()), state, {}

    return Term(no_state, apply)
