"""Post-compensated softmax: the training prior out, a test prior in."""

import numpy as np

from ltjax.posthoc.common import logits_of, with_target
from ltjax.registry import register


@register("posthoc", "pc_softmax", cite="arXiv:2012.00321", needs="train_posterior")
def pc_softmax(outputs, *, stats, target_log_prior=None) -> np.ndarray:
    r"""Replaces the training prior of the logits by the test prior.

    .. math:: z_j - \log \pi_j + \log \pi^t_j

    Args:
      target_log_prior: log pi^t; None: uniform, left out because it moves all logits alike.
    Reference: Hong et al. 2021 (LADE).
    """
    return with_target(logits_of(outputs, stats) - stats.log_prior[None, :], target_log_prior)
