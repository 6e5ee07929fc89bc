"""Class-dependent temperatures."""

from ltjax.losses.stable import columns, cross_entropy, wide
from ltjax.registry import register


@register("loss", "cdt", cite="arXiv:2001.01385", test_logits="balanced", extra_columns=True,
          reduces_to_ce=True, bounds={"gamma": (0.0, 1e2)})
def cdt(logits, labels, *, stats, gamma=0.2):
    r"""Divides the logits of rare classes in training, so that their features have to move further.

    .. math:: \mathrm{CE}(z_j / a_j, y), \quad a_j = (n_{\max} / n_j)^\gamma

    Args:
      logits: z [*b, k], undivided at test time; labels: y [*b].
      stats: n, class counts; a column beyond the classes counts as a class with one example.
      gamma: 0 is plain cross-entropy.
    Reference: Ye et al. 2020, arXiv:2001.01385; checked against a re-implementation.
    """
    z = wide(logits)
    largest = stats.counts.max()
    factor = columns((stats.counts / largest) ** gamma, z, fill=(1 / largest) ** gamma)
    return cross_entropy(factor * z, labels)
