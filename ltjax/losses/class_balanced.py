"""Class-balanced loss in its three published forms."""

import jax
import jax.numpy as jnp

from ltjax.losses.stable import cross_entropy, is_label, of_label, wide
from ltjax.priors import effective_number, mean_one
from ltjax.registry import register


@register("loss", "class_balanced", cite="arXiv:1901.05555", test_logits="neither", extra_columns=True,
          bounds={"beta": (0.0, 1.0), "gamma": (0.0, 1e2)}, choices={"form": ("softmax", "sigmoid", "focal")})
def class_balanced(logits, labels, *, stats, form="focal", beta=0.9999, gamma=1.0):
    r"""Weights a row's loss by one over the effective number of its class.

    .. math:: w_y \ell(z, y), \quad w_j \propto (1 - \beta) / (1 - \beta^{n_j}), \quad \bar w = 1

    Args:
      logits: z [*b, k]; labels: y [*b]; stats: n, class counts.
      form: l is the `softmax` cross-entropy, the sum over columns of `sigmoid` cross-entropies, or that sum
        with `focal` factors (1 - p)^gamma on the label's column and p^gamma elsewhere.
      beta: of the effective number; gamma: of the focal form.
    The mean is over the batch. Start the last bias at -log(C - 1) for the sigmoid forms.
    Reference: Cui et al. 2019, arXiv:1901.05555, section 4.
    """
    z = wide(logits)
    weight = of_label(mean_one(1 / effective_number(stats.counts, beta)), labels, z.dtype)
    if form == "softmax":
        return weight * cross_entropy(z, labels)
    right = jnp.where(is_label(labels, z.shape[-1]), z, -z)
    wrong = jnp.exp(-gamma * jax.nn.softplus(right)) if form == "focal" else 1
    return weight * (wrong * jax.nn.softplus(-right)).sum(-1)
