"""Every row once, in random order, then again in another order."""

from ltjax.registry import register
from ltjax.samplers.base import Draw, Sampler, Shuffled


@register("sampler", "shuffle")
def shuffle(draw: Draw) -> Sampler:
    """Instance-balanced without replacement: an endless sequence of permutations of the rows.

    Element p = step*batch + j of the stream stands in permutation p // n, so that batches are always full and
    may span two permutations.
    """
    return Shuffled(draw)
