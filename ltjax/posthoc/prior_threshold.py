"""Thresholding by the prior."""

import numpy as np
from scipy.special import log_softmax

from ltjax.posthoc.common import logits_of, with_target
from ltjax.registry import register


@register("posthoc", "prior_threshold", cite="arXiv:1710.05381", needs="train_posterior")
def prior_threshold(outputs, *, stats, target_log_prior=None) -> np.ndarray:
    r"""Log of the ratio of posterior and prior, the scores that Buda et al. compare.

    .. math:: \log \frac{p(j|x)}{\pi_j}

    Decides as logit adjustment with tau = 1; the exponentials are the paper's scores.

    Reference: Buda et al. 2018.
    """
    posterior = log_softmax(logits_of(outputs, stats), axis=1)
    return with_target(posterior - stats.log_prior[None, :], target_log_prior)
