"""Logit-adjusted cross-entropy."""

import numpy as np

from ltjax.losses.stable import columns, cross_entropy, wide
from ltjax.registry import register


@register("loss", "logit_adjusted", cite="arXiv:2007.07314", test_logits="balanced", extra_columns=True,
          reduces_to_ce=True, bounds={"tau": (0.0, 1e2), "epsilon": (0.0, 1.0)}, probe={"epsilon": 0.1})
def logit_adjusted(logits, labels, *, stats, tau=1.0, epsilon=1e-12):
    r"""Adds the log prior of each class, so that the plain logits are balanced at test time.

    .. math:: \mathrm{CE}(z + \log(\pi^\tau + \epsilon), y)

    Args:
      logits: z [*b, k]; labels: y [*b].
      stats: class counts, the prior is n / N; a column beyond the classes counts as one with one example.
      tau: strength; 1 is consistent for the balanced error.
      epsilon: stands inside the logarithm, after the power, as in the authors' code; the paper has none.
    Reference: Menon et al. 2021, arXiv:2007.07314, equation 10.
    """
    z = wide(logits)
    one_example = 1 / stats.counts.sum()
    shift = np.log(stats.prior**tau + epsilon)
    return cross_entropy(z + columns(shift, z, fill=np.log(one_example**tau + epsilon)), labels)
