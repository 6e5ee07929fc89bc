"""Rows weighted by the effective number of their class."""

from ltjax.priors import effective_number as effective
from ltjax.registry import register
from ltjax.samplers.base import ByClass, Draw, Sampler


@register("sampler", "effective_number", cite="arXiv:1906.07413", bounds={"beta": (0.0, 1.0)})
def effective_number(draw: Draw, *, beta: float = 0.9999) -> Sampler:
    r"""Draws rows with the class-balanced weight of their class; with replacement.

    .. math:: p_c \propto n_c \frac{1-\beta}{1-\beta^{n_c}}

    Args:
      beta: 0 draws as in the data, 1 all classes alike.
    Reference: Cao et al. 2019 (LDAM-DRW, rule "Resample"), weights of Cui et al. 2019, arXiv:1901.05555.
    """
    return ByClass(draw, lambda n, epoch: n / effective(n, beta))
