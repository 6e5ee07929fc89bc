"""Generalised re-weighting."""

from ltjax.priors import mean_one
from ltjax.registry import register


@register("weights", "grw", cite="arXiv:2103.16370", normalised="mean_one", bounds={"rho": (0.0, 1e2)})
def grw(*, stats, rho=1.2):
    r"""Weights a class by a power of its prior.

    .. math:: w_j \propto \pi_j^{-\rho}

    Rescaled to mean 1 over the classes, whatever the batch holds.
    Args:
      stats: class counts of the training split, the prior is n / N.
      rho: exponent; 1.2 with a dot-product head, 1.5 with a cosine head.
    Reference: Zhang et al. 2021, arXiv:2103.16370.
    """
    return mean_one(stats.prior**-rho)
