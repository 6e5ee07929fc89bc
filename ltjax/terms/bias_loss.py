"""Bias loss: examples with little feature variance count less."""

import jax
import jax.numpy as jnp

from ltjax.losses.stable import cross_entropy, wide
from ltjax.registry import register
from ltjax.terms.base import Term, mask_of


def spread(features):
    """Unbiased variance over all entries of a row's features; 0 for a single entry. No gradient."""
    flat = jax.lax.stop_gradient(wide(features)).reshape(features.shape[0], -1)
    centred = flat - flat.mean(-1, keepdims=True)
    return (centred**2).sum(-1) / max(flat.shape[-1] - 1, 1)


def variance_weight(v, base, low, high, alpha, beta):
    """exp(alpha u) - beta with u = (v - base) / (high - low), or u = 0 where there is no range."""
    ranged = high > low
    u = jnp.where(ranged, (v - base) / jnp.where(ranged, high - low, 1), 0)
    return jnp.exp(alpha * u) - beta


@register("term", "bias_loss", cite="arXiv:2107.11170", needs=("features",), value="example",
          test_logits="train_posterior", bounds={"alpha": (0.0, 1e2), "beta": (-1e2, 1e2)},
          choices={"normalisation": ("global", "local")})
def bias_loss(*, alpha=0.3, beta=0.3, normalisation="global"):
    r"""Weighs cross-entropy by how varied the example's features are.

    .. math:: (e^{\alpha u} - \beta)\,\mathrm{CE}(z, y), \quad u = (v - v_{\min}) / (\max v - \min v)

    Args:
      alpha, beta: of the weight, which carries no gradient.
      normalisation: v_min is the batch's (`local`) or the lowest so far (`global`); the range below is the
        batch's in both, so that u may exceed 1 under `global`.
    v is the variance over the entries of the last feature map (`outputs["feature_map"]`, else the features).
    State: the lowest variance so far, moved by the batch before its loss. A batch without range has u = 0.
    Reference: Abrahamyan et al. 2021, arXiv:2107.11170, section 3.
    """
    def init(key, spec):
        return {"global_min": jnp.asarray(1e5, spec["dtype"])}

    def apply(state, outputs, batch, ctx):
        ce = cross_entropy(outputs["logits"], batch["label"])
        v = spread(outputs.get("feature_map", outputs["features"])).astype(ce.dtype)
        everyone = ctx.across.same(v)
        counted = ctx.across.same(mask_of(batch, ce.dtype)) > 0
        low = jnp.where(counted, everyone, jnp.inf).min()
        high = jnp.where(counted, everyone, -jnp.inf).max()
        if normalisation == "global":
            state = {"global_min": jnp.minimum(state["global_min"], low)}
        base = state["global_min"] if normalisation == "global" else low
        return variance_weight(v, base, low, high, alpha, beta) * ce, state, {}

    return Term(init, apply)
