"""Classes drawn with probability proportional to a power of their size."""

import numpy as np

from ltjax.registry import register
from ltjax.samplers.base import ByClass, Draw, Sampler


@register("sampler", "power", cite="arXiv:1910.09217", bounds={"gamma": (-10.0, 10.0)})
def power(draw: Draw, *, gamma: float = 0.5) -> Sampler:
    r"""Draws a class in proportion to a power of its size, then one of its rows; with replacement.

    .. math:: p_c \propto n_c^{\gamma}

    Args:
      gamma: q, the exponent: 1 as in the data, 0.5 square root, 0 all classes alike, -1 reversed. CMO's
        released per-example weight n^-a is gamma = 1 - a, its paper's class weight gamma = -a.
    Reference: Kang et al. 2020, section 3.
    """
    return ByClass(draw, lambda n, epoch: (n / n.max()) ** gamma)


@register("sampler", "class_balanced", cite="arXiv:1910.09217")
def class_balanced(draw: Draw) -> Sampler:
    r"""Draws every class with the same probability, then one of its rows; with replacement.

    .. math:: p_c = 1/C

    Independent draws; the cyclic form of the authors' code is `class_aware`.

    Reference: Kang et al. 2020, section 3.
    """
    return ByClass(draw, lambda n, epoch: np.ones_like(n))


@register("sampler", "square_root", cite="arXiv:1910.09217")
def square_root(draw: Draw) -> Sampler:
    r"""Draws a class in proportion to the square root of its size, then one of its rows; with replacement.

    .. math:: p_c \propto \sqrt{n_c}

    Reference: Kang et al. 2020, section 3.
    """
    return ByClass(draw, lambda n, epoch: np.sqrt(n))


@register("sampler", "reversed", cite="arXiv:1912.02413")
def reversed_(draw: Draw) -> Sampler:
    r"""Draws a class in proportion to the inverse of its size, then one of its rows; with replacement.

    .. math:: p_c \propto 1/n_c

    Reference: Zhou et al. 2020 (BBN), section 4.
    """
    return ByClass(draw, lambda n, epoch: n.max() / n)
