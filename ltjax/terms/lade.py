"""LADE: prior-shifted cross-entropy with a regulariser that disentangles logits from the training prior."""

import jax.numpy as jnp
import numpy as np

from ltjax.losses.stable import columns, cross_entropy, is_label, wide
from ltjax.registry import register
from ltjax.terms.base import Term, mask_of, no_state, weight_of

EPSILON = 1e-9


def regulariser(z, labels, mask, remine, ctx):
    """R of the global batch, over the columns of the classes."""
    stats, total = ctx.stats, ctx.across.total
    z = z[:, : stats.classes]
    mine = is_label(labels, stats.classes) * mask[:, None]
    own = total((mine * z).sum(0)) / (total(mine.sum(0)) + 1e-8)
    padding = jnp.broadcast_to(mask[:, None] == 0, z.shape)
    top = ctx.across.same(jnp.where(padding, jnp.finfo(z.dtype).min, z).max(0, keepdims=True)).max(0)
    mass = total(jnp.where(padding, 0, jnp.exp(jnp.where(padding, 0, z - top[None, :]))).sum(0))
    ratio = np.log(1 / stats.classes + EPSILON) - np.log(stats.prior + EPSILON)
    every = top + jnp.log(mass) + jnp.asarray(ratio, z.dtype) - jnp.log(total(mask.sum()))
    return -(jnp.asarray(stats.prior, z.dtype) * (own - every - remine * every**2)).sum()


@register("term", "lade", cite="arXiv:2012.00321", needs=(), value="batch", test_logits="balanced",
          bounds={"alpha": (0.0, 1e3), "remine": (0.0, 1e3)})
def lade(*, alpha=0.1, remine=0.01):
    r"""Learns logits that are free of the training prior, ready for any test prior.

    .. math:: \mathrm{CE}(z + \log\pi, y) - \alpha \sum_c \pi_c (F_c - S_c - \lambda S_c^2), \quad
        S_c = \log\,\mathrm{mean}_i\, e^{z_{ic}} / (C \pi_c)

    Args:
      alpha: weight of the regulariser; remine: lambda.
    F_c is the mean logit c of the batch's rows of class c, 0 for a class it lacks. The cross-entropy is a
    mean over the rows' weights. The paper corrects row i by the prior of its label; this follows the
    authors' code, which corrects column c by the prior of c.
    Reference: Hong et al. 2021, arXiv:2012.00321, section 3.
    """
    def apply(state, outputs, batch, ctx):
        z, labels = wide(outputs["logits"]), batch["label"]
        shift = np.log(ctx.stats.prior + EPSILON)
        extra = np.log(1 / ctx.stats.counts.sum() + EPSILON)
        per_row = cross_entropy(z + columns(shift, z, fill=extra), labels)
        weight = weight_of(batch, z.dtype)
        ce = ctx.across.total((weight * per_row).sum()) / ctx.across.total(weight.sum())
        reg = regulariser(z, labels, mask_of(batch, z.dtype), remine, ctx)
        return ce + alpha * reg, state, {"ce": ce, "reg": reg}

    return Term(no_state, apply)
