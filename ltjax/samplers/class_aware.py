"""Classes in turn, a few rows of each, every class through its own shuffled rows."""

import numpy as np

from ltjax.registry import register
from ltjax.samplers.base import Draw, Sampler
from ltjax.samplers.streams import hashed, permutations


@register("sampler", "class_aware", cite="arXiv:1910.09217", bounds={"per_visit": (1, 10**6)})
def class_aware(draw: Draw, *, per_visit: int = 4) -> Sampler:
    """Class-balanced as a cycle: visits the classes in shuffled order and takes a few rows at each visit.

    Within a class the rows come in shuffled order too; both orders are drawn anew when they are through. The
    authors keep running iterators; here every position follows from its number alone, so that the orders
    differ from theirs while the law is the same.

    Args:
      per_visit: consecutive rows of one class (`num_samples_cls`).
    Reference: Kang et al. 2020, `ClassAwareSampler` of the released code.
    """
    return ClassAware(draw, per_visit)


class ClassAware:
    """Element p of the stream is in visit p // per_visit; C visits are one cycle through the classes."""

    def __init__(self, draw: Draw, per_visit: int):
        self.draw, self._per_visit = draw, per_visit
        self._classes = np.flatnonzero(draw.counts)
        self._arranged = draw.by_class.copy()
        self._number = np.full(draw.classes, -1, np.int64)

    def probabilities(self, step: int = 0) -> np.ndarray:
        full = np.zeros(self.draw.classes)
        full[self._classes] = 1 / self._classes.size
        return full

    def plan(self, first: int, count: int) -> np.ndarray:
        d = self.draw
        position = np.arange(first * d.batch, (first + count) * d.batch)
        visit, within = np.divmod(position, self._per_visit)
        cycle, turn = np.divmod(visit, self._classes.size)
        cycles, which = np.unique(cycle, return_inverse=True)
        order = permutations(d.seed, d.stream, cycles, self._classes.size)
        c = self._classes[order[which, turn]]
        number, place = np.divmod(cycle * self._per_visit + within, d.counts[c])
        return self._rows(c, number, place).reshape(count, d.batch)

    def _rows(self, c: np.ndarray, number: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Row at `place` of shuffle `number` of class c; the newest shuffle of each class is kept."""
        d = self.draw
        rows = np.empty(c.size, np.int32)
        kept = self._number[c] == number
        rows[kept] = self._arranged[d.start[c[kept]] + place[kept]]
        if kept.all():
            return rows
        c, number, place = c[~kept], number[~kept], place[~kept]
        pairs, pair = np.unique(np.stack([c, number]), axis=1, return_inverse=True)
        classes, numbers = pairs
        sizes = d.counts[classes]
        start = np.cumsum(sizes) - sizes
        owner = np.repeat(np.arange(classes.size), sizes)
        inside = np.arange(owner.size) - start[owner]
        words = hashed(d.seed, d.stream, 1 + classes[owner], numbers[owner], inside)
        shuffled = d.by_class[(d.start[classes[owner]] + inside)[np.lexsort((words, owner))]]
        rows[~kept] = shuffled[start[pair.ravel()] + place]
        newest = np.append(classes[1:] != classes[:-1], True)
        keep = newest[owner]
        self._arranged[(d.start[classes[owner]] + inside)[keep]] = shuffled[keep]
        self._number[classes[newest]] = numbers[newest]
        return rows
