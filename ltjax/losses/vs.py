"""Vector-scaling loss."""

import numpy as np

from ltjax.losses.stable import columns, cross_entropy, wide
from ltjax.registry import register


@register("loss", "vs", cite="arXiv:2103.01550", test_logits="balanced", extra_columns=True,
          reduces_to_ce=True, bounds={"gamma": (0.0, 1e2), "tau": (0.0, 1e2)})
def vs(logits, labels, *, stats, gamma=0.3, tau=1.0):
    r"""Shrinks the logits of rare classes in training and shifts them by the log prior.

    .. math:: \mathrm{CE}\big((n_j / n_{\max})^\gamma z_j + \tau \log \pi_j, y\big)

    Args:
      logits: z [*b, k], plain at test time; labels: y [*b].
      stats: n, class counts; a column beyond the classes counts as a class with one example.
      gamma: of the factor, 0 leaves logit adjustment; tau: of the shift, 0 leaves `cdt`.
    Reference: Kini et al. 2021, arXiv:2103.01550, section 2.
    """
    z = wide(logits)
    largest, total = stats.counts.max(), stats.counts.sum()
    factor = columns((stats.counts / largest) ** gamma, z, fill=(1 / largest) ** gamma)
    shift = columns(tau * stats.log_prior, z, fill=-tau * np.log(total))
    return cross_entropy(factor * z + shift, labels)
