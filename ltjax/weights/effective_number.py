"""Inverse effective number of examples."""

from ltjax import priors
from ltjax.registry import register


@register("weights", "effective_number", cite="arXiv:1901.05555", normalised="mean_one",
          bounds={"beta": (0.0, 1.0)})
def effective_number(*, stats, beta=0.9999):
    r"""Weights a class by one over its effective number of examples.

    .. math:: w_j \propto (1 - \beta) / (1 - \beta^{n_j})

    Rescaled to mean 1 over the classes, whatever the batch holds.
    Args:
      stats: n, class counts of the training split.
      beta: 0 gives ones, towards 1 the weights tend to 1/n.
    Reference: Cui et al. 2019, arXiv:1901.05555, section 4; deferred (`after`) it is Cao et al. 2019.
    """
    return priors.mean_one(1 / priors.effective_number(stats.counts, beta))
