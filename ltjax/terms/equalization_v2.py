"""Equalization loss v2: accumulated positive and negative gradients decide the weights."""

import jax
import jax.numpy as jnp

from ltjax.losses.stable import is_label, wide
from ltjax.registry import register
from ltjax.terms.base import Term, mask_of


@register("term", "equalization_v2", cite="arXiv:2012.08548", needs=(), value="example",
          test_logits="neither", bounds={"gamma": (0.0, 1e3), "alpha": (0.0, 1e3)})
def equalization_v2(*, gamma=12.0, mu=0.8, alpha=4.0):
    r"""Sigmoid cross-entropies that give every class as much pull as push over training.

    .. math:: \sum_j w_j \mathrm{BCE}(z_j, t_j), \quad
        w^- = \sigma(\gamma (g - \mu)), \quad w^+ = 1 + \alpha (1 - w^-)

    Args:
      gamma, mu: slope and middle of the negative weight over g; alpha: gain of the positive weight.
    State: per class the sums of |sigma(z) - t| w of its positives and of its negatives, and their ratio g
    (100 at the start), moved by the batch after its loss, without gradient. Columns beyond the classes
    (background) have weight 1 and no state. The mean is over the batch, not over the columns.
    Reference: Tan et al. 2021, arXiv:2012.08548, section 4.
    """
    def init(key, spec):
        zero = jnp.zeros(spec["classes"], spec["dtype"])
        return {"pos_grad": zero, "neg_grad": zero, "pos_neg": zero + 100}

    def apply(state, outputs, batch, ctx):
        z, classes = wide(outputs["logits"]), state["pos_neg"].size
        true = is_label(batch["label"], z.shape[-1])
        negative = jax.nn.sigmoid(gamma * (state["pos_neg"] - mu))
        extra = (0, z.shape[-1] - classes)
        pull = jnp.pad(1 + alpha * (1 - negative), extra, constant_values=1)
        push = jnp.pad(negative, extra, constant_values=1)
        weight = jnp.where(true, pull[None, :], push[None, :])
        wrong = jnp.where(true, -z, z)
        value = (weight * jax.nn.softplus(wrong)).sum(-1)
        slope = jax.lax.stop_gradient(weight * jax.nn.sigmoid(wrong)) * mask_of(batch, z.dtype)[:, None]
        pos = state["pos_grad"] + ctx.across.total(jnp.where(true, slope, 0).sum(0)[:classes])
        neg = state["neg_grad"] + ctx.across.total(jnp.where(true, 0, slope).sum(0)[:classes])
        return value, {"pos_grad": pos, "neg_grad": neg, "pos_neg": pos / (neg + 1e-10)}, {}

    return Term(init, apply)
