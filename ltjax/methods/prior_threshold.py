"""Thresholding: posteriors divided by the class prior."""

from ltjax.methods.base import Method
from ltjax.registry import register


@register("method", "prior_threshold", cite="arXiv:1710.05381")
def prior_threshold():
    """Cross-entropy training; at test time each class's probability is divided by its share of the training data.

    Decides as `logit_adjust` with tau = 1; the study that recommends it trains other networks, so it has no recipe
    for CIFAR-LT.
    """
    return Method(posthoc=("prior_threshold",))
