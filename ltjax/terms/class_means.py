"""Nearest class mean as an objective, with means over the whole training split."""

import jax.numpy as jnp

from ltjax.contrast import dots
from ltjax.losses.stable import cross_entropy, is_label, wide
from ltjax.registry import register
from ltjax.terms.base import Term, mask_of


def class_sums(args, outputs, batch):
    """Sum of features and number of rows per class; `args` holds the present means [C, d]."""
    (means,) = args
    features = wide(outputs["features"]).astype(means.dtype)
    member = is_label(batch["label"], means.shape[0]) * mask_of(batch, means.dtype)[:, None]
    return {"sum": dots(member.T, features.T), "count": member.sum(0)}


@register("term", "class_means", cite="arXiv:1703.05175", needs=("features",), value="example",
          refreshes=True, bounds={"temperature": (1e-6, 1e6)})
def class_means(*, temperature=1.0):
    r"""Pulls features towards the mean of their class and away from the means of others.

    .. math:: \mathrm{CE}\big(-\|h - \mu_c\|^2 / T, y\big)

    Args:
      temperature: T.
    State: mu and which classes have one, recomputed over the training split at each epoch's start; before
    that, and for rows of a class without a mean, the value is 0. The means carry no gradient.
    Reference: Snell et al. 2017, arXiv:1703.05175, equation 2, with the means of all rows.
    """
    def init(key, spec):
        return {"means": jnp.zeros((spec["classes"], spec["features"]), spec["dtype"]),
                "known": jnp.zeros(spec["classes"], bool)}

    def apply(state, outputs, batch, ctx):
        h = wide(outputs["features"])
        mu = state["means"].astype(h.dtype)
        scores = (2 * dots(h, mu) - (mu * mu).sum(-1)[None, :]) / temperature
        known = jnp.broadcast_to(state["known"][None, :], scores.shape)
        loss = cross_entropy(scores, batch["label"], keep=known)
        return jnp.where(state["known"][batch["label"]], loss, 0), state, {}

    def refresh(state, passes, ctx):
        sums = passes(class_sums, state["means"])
        count = sums["count"][:, None]
        means = jnp.where(count > 0, sums["sum"] / jnp.maximum(count, 1), state["means"])
        return {"means": means, "known": state["known"] | (sums["count"] > 0)}

    return Term(init, apply, refresh)
