"""Label-distribution-aware margin."""

import jax.numpy as jnp

from ltjax.losses.stable import cross_entropy, is_label, of_label, wide
from ltjax.priors import margins
from ltjax.registry import register


@register("loss", "ldam", cite="arXiv:1906.07413", test_logits="neither", extra_columns=True,
          bounds={"max_margin": (0.0, 1e3), "scale": (0.0, 1e4)})
def ldam(logits, labels, *, stats, max_margin=0.5, scale=30.0):
    r"""Asks more margin of rare classes.

    .. math:: \mathrm{CE}(s (z - \Delta_y e_y), y), \quad \Delta_j = m (n_{\min} / n_j)^{1/4}

    Args:
      logits: z [*b, k], cosines of a normalised head in the paper; a plain linear head diverges at scale 30.
      labels: y [*b]; stats: n, class counts.
      max_margin: m, the margin of the rarest class.
      scale: s, applied after the margin.
    Class weights, where used, are normalised by their sum over the batch.
    Reference: Cao et al. 2019, arXiv:1906.07413, section 3.2.
    """
    z = wide(logits)
    margin = of_label(margins(stats.counts, max_margin), labels, z.dtype)
    taken = jnp.where(is_label(labels, z.shape[-1]), jnp.expand_dims(margin, -1), 0)
    return cross_entropy(scale * (z - taken), labels)
