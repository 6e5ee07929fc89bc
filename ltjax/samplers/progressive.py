"""From instance-balanced to class-balanced draws, epoch by epoch."""

import numpy as np

from ltjax.registry import register
from ltjax.samplers.base import ByClass, Draw, Sampler, share


@register("sampler", "progressive", cite="arXiv:1910.09217")
def progressive(draw: Draw, *, reach_end: bool = True) -> Sampler:
    r"""Moves linearly from the data's class shares to equal shares; with replacement.

    .. math:: p_c = (1-\lambda_t) n_c/N + \lambda_t/C

    Args:
      reach_end: lambda_t = t/(T-1), which is 1 in the last of the stage's T epochs, as in the authors' code;
        False: lambda_t = t/T, as in their text. t counts from 0.
    Reference: Kang et al. 2020, section 3.
    """
    last = max(1, draw.epochs - 1 if reach_end else draw.epochs)

    def weights(n: np.ndarray, epoch: int) -> np.ndarray:
        moved = epoch / last
        return (1 - moved) * share(n) + moved / n.size

    return ByClass(draw, weights, changes=True)
