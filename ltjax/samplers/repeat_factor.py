"""Rows repeated by how rare their rarest class is."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ltjax.registry import ConfigError, nearest, register
from ltjax.samplers.base import Draw, Sampler, share
from ltjax.samplers.streams import fractions, permutations

MEANS = ("geometric", "arithmetic", "harmonic")


def image_frequency(instances: np.ndarray) -> np.ndarray:
    """Share of rows that contain each class; float64 [C]. Instances: per row and class, int [n, C]."""
    return np.count_nonzero(instances, axis=0) / len(instances)


def instance_frequency(instances: np.ndarray) -> np.ndarray:
    """Share of all instances that are of each class; float64 [C]."""
    return instances.sum(0) / max(1, instances.sum())


def combined(by_image: np.ndarray, by_instance: np.ndarray, mean: str) -> np.ndarray:
    """Mean of the two frequencies of each class; 0 where both are 0."""
    if mean not in MEANS:
        raise ConfigError(f"mean={mean!r} is unknown. {nearest(mean, MEANS)}Known: {', '.join(MEANS)}.")
    if mean == "geometric":
        return np.sqrt(by_image * by_instance)
    total = by_image + by_instance
    return total / 2 if mean == "arithmetic" else 2 * by_image * by_instance / np.where(total > 0, total, 1)


def class_repeat(frequency: np.ndarray, threshold: float, root: bool = True) -> np.ndarray:
    r"""Repeat factor of each class, NaN for absent ones.

    .. math:: r_c = \max(1, \sqrt{t / f_c})
    """
    ratio = threshold / np.where(frequency > 0, frequency, np.nan)
    return np.maximum(1, np.sqrt(ratio) if root else ratio)


def row_repeat(labels: np.ndarray, repeat: np.ndarray) -> np.ndarray:
    """Largest repeat factor among the classes of each row, 1 for a row without any; float64 [n]."""
    if labels.ndim == 1:
        return repeat[labels]
    return np.where(labels > 0, np.nan_to_num(repeat, nan=1.0)[None, :], 1.0).max(1)


@register("sampler", "repeat_factor", cite="arXiv:1908.03195", bounds={"threshold": (0.0, 1.0)},
          probe={"threshold": 0.3})
def repeat_factor(draw: Draw, *, threshold: float = 1e-3, root: bool = True) -> Sampler:
    r"""Shows each row floor(r) times per epoch and once more with the probability that is left.

    .. math:: r_i = \max_{c \in i} \max(1, \sqrt{t / f_c})

    f_c is the share of rows that contain class c, so that classes below the threshold are shown more often.
    An epoch of this sampler has about sum r_i rows; it is shuffled and the next one follows. With one label
    per row it is a square-root sampler below the threshold.

    Args:
      threshold: t.
      root: take the square root.
    Reference: Gupta et al. 2019 (LVIS); `RepeatFactorTrainingSampler` of detectron2.
    """
    frequency = image_frequency(draw.labels) if draw.labels.ndim == 2 else draw.counts / draw.rows
    return RepeatFactor(draw, row_repeat(draw.labels, class_repeat(frequency, threshold, root)))


@register("sampler", "instance_aware_repeat_factor", cite="arXiv:2305.08069",
          bounds={"threshold": (0.0, 1.0)}, choices={"mean": MEANS}, probe={"threshold": 0.3})
def instance_aware_repeat_factor(draw: Draw, *, threshold: float = 1e-3, mean: str = "geometric") -> Sampler:
    r"""Repeat factors from the shares of rows and of instances together.

    .. math:: r_i = \max_{c \in i} \max(1, \sqrt{t / f_c}), \quad f_c = \sqrt{f_c^{row} f_c^{instance}}

    Written from the paper's formula; with one instance per row it equals `repeat_factor`.

    Args:
      threshold: t.
      mean: how the two shares are combined.
    Reference: Yaman et al. 2023.
    """
    if draw.labels.ndim == 2:
        frequency = combined(image_frequency(draw.labels), instance_frequency(draw.labels), mean)
    else:
        frequency = draw.counts / draw.rows
    return RepeatFactor(draw, row_repeat(draw.labels, class_repeat(frequency, threshold)))


class RepeatFactor:
    """Epochs of repeated rows, one behind the other; where each begins is counted up once and remembered."""

    def __init__(self, draw: Draw, repeat: np.ndarray):
        self.draw, self.repeat = draw, repeat
        self._whole = np.floor(repeat).astype(np.int64)
        self._ends: list[int] = []
        self._rows = lru_cache(maxsize=2)(self._make_rows)

    def probabilities(self, step: int = 0) -> np.ndarray:
        d = self.draw
        if d.labels.ndim == 2:
            return share(((d.labels > 0) * self.repeat[:, None]).sum(0))
        return share(np.bincount(d.labels, self.repeat, minlength=d.classes))

    def _copies(self, epoch: int) -> np.ndarray:
        d = self.draw
        u = fractions(d.seed, d.stream, 0, epoch, np.arange(d.rows))
        return self._whole + (u < self.repeat - self._whole)

    def _make_rows(self, epoch: int) -> np.ndarray:
        rows = np.repeat(np.arange(self.draw.rows, dtype=np.int32), self._copies(epoch))
        return rows[permutations(self.draw.seed, self.draw.stream, np.array([epoch]), rows.size)[0]]

    def _end(self, epoch: int) -> int:
        while len(self._ends) <= epoch:
            before = self._ends[-1] if self._ends else 0
            self._ends.append(before + int(self._copies(len(self._ends)).sum()))
        return self._ends[epoch]

    def plan(self, first: int, count: int) -> np.ndarray:
        at, end = first * self.draw.batch, (first + count) * self.draw.batch
        epoch = 0
        while self._end(epoch) <= at:
            epoch += 1
        parts = [np.empty(0, np.int32)]
        while at < end:
            rows = self._rows(epoch)
            part = rows[at - self._end(epoch) + rows.size:][: end - at]
            parts.append(part)
            at, epoch = at + part.size, epoch + 1
        return np.concatenate(parts).reshape(count, self.draw.batch)
