"""The long-tail protocol: class counts, which rows are kept, validation from the long-tailed rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ltjax.registry import ConfigError, nearest

PROFILES = ("exp", "step", "pareto")
ORDERS = ("label", "size", "shuffled")
BOUNDS = {
    "imbalance": (0.0, np.inf), "largest": (0, np.inf), "subset_seed": (0, 2**32 - 1),
    "val_per_class": (0, np.inf), "val_share": (0.0, 1.0), "val_seed": (0, 2**32 - 1), "seed": (0, 2**32 - 1),
    "prior_smoothing": (0.0, np.inf), "counts": (0, np.inf),
}
"""Accepted values of the options that sources share, for their registration."""
PARETO_POWER = 6.0


def class_counts(classes: int, largest: int, imbalance: float, profile: str = "exp") -> np.ndarray:
    r"""Class counts of an artificial long tail, class 0 the largest.

    With :math:`C` classes, :math:`n_{\max}` examples in the largest and :math:`\mu = 1/\text{imbalance}`:

    .. math::
      \text{exp:}\quad & n_c = \lfloor n_{\max}\, \mu^{c/(C-1)} \rfloor \\
      \text{step:}\quad & n_c = n_{\max} \text{ for } c < \lfloor C/2 \rfloor, \text{ else }
        \lfloor n_{\max}\, \mu \rfloor \\
      \text{pareto:}\quad & n_c = \Big\lfloor n_{\max}\mu + n_{\max}(1-\mu)\,
        \frac{q_c - q_{C-1}}{q_0 - q_{C-1}} \Big\rfloor, \quad
        q_c = \Big(\frac{c + 1/2}{C}\Big)^{-1/6} - 1

    All in float64 with a true power, truncated and not rounded. A count may come out as 0; a data set refuses
    it later. `pareto`: the :math:`q_c` are the quantiles of a Pareto distribution (second kind, support from
    0) of power 6 at C evenly spread levels, stretched so that the ends have the wished counts. Its source
    states the power and published the drawn list only, so the quantiles are this library's deterministic
    form; with C=1000 and 1280 down to 5 they follow the published ImageNet-LT counts, sorted, with a root
    mean square deviation of 11 %.

    Deviation: with odd C the authors' `step` returns C-1 counts; here the middle class belongs to the tail.

    Args:
      classes: C.
      largest: examples in the largest class, :math:`n_{\max}`.
      imbalance: ratio of the largest to the smallest class, at least 1.
      profile: `exp`, `step` or `pareto`.

    References:
      exp, step: Cao et al., arXiv:1906.07413. pareto: Liu et al., arXiv:1904.05160.
    """
    if classes < 1 or largest < 1:
        raise ConfigError(f"classes={classes} and largest={largest} must both be at least 1.")
    if not (np.isfinite(imbalance) and imbalance >= 1):
        raise ConfigError(f"imbalance={imbalance:g} must be finite and at least 1: how many times larger the "
                          "largest class is than the smallest.")
    mu = 1.0 / imbalance
    if profile == "exp":
        counts = [int(largest * mu ** (c / max(classes - 1.0, 1.0))) for c in range(classes)]
    elif profile == "step":
        head = max(classes // 2, 1)
        counts = [largest] * head + [int(largest * mu)] * (classes - head)
    elif profile == "pareto":
        q = ((np.arange(classes) + 0.5) / classes) ** (-1.0 / PARETO_POWER) - 1.0
        share = (q[1:] - q[-1]) / (q[0] - q[-1]) if classes > 1 else []
        counts = [largest] + [int(largest * mu + largest * (1.0 - mu) * s) for s in share]
    else:
        raise ConfigError(f"profile={profile!r} is not known. {nearest(profile, PROFILES)}"
                          f"Accepted: {', '.join(PROFILES)}.")
    return np.array(counts, np.int64)


def order_counts(counts: np.ndarray, available: np.ndarray, order: str = "label",
                 seed: int = 0) -> np.ndarray:
    """Falling counts dealt out to the classes.

    Args:
      counts: counts from the largest to the smallest.
      available: what each class has, [C].
      order: `label` (class 0 gets the largest count, as in the benchmarks), `size` (the class that has most
        gets most; ties by label), or `shuffled` (a permutation drawn from `seed`).
      seed: of the permutation.
    """
    classes = len(counts)
    if order == "label":
        ranking = np.arange(classes)
    elif order == "size":
        ranking = np.argsort(-np.asarray(available), kind="stable")
    elif order == "shuffled":
        ranking = np.random.default_rng([seed, classes]).permutation(classes)
    else:
        raise ConfigError(f"order={order!r} is not known. {nearest(order, ORDERS)}"
                          f"Accepted: {', '.join(ORDERS)}.")
    dealt = np.empty(classes, np.int64)
    dealt[ranking] = counts
    return dealt


def check_available(counts: np.ndarray, available: np.ndarray, where: str = "data") -> None:
    """Raises one sentence where a class has fewer rows than asked for."""
    if len(counts) != len(available):
        raise ConfigError(f"{where}: {len(counts)} counts were given for {len(available)} classes. "
                          "Give one count per class.")
    negative = np.flatnonzero(counts < 0)
    if negative.size:
        raise ConfigError(f"{where}: the count of class {negative[0]} is {counts[negative[0]]}. "
                          "Counts must not be negative.")
    short = np.flatnonzero(counts > available)
    if short.size:
        c = short[0]
        raise ConfigError(f"{where}: {short.size} classes have fewer rows than asked for (class {c} has "
                          f"{available[c]}, asked {counts[c]}). Ask for fewer rows, or raise the imbalance.")


def subset_rows(labels: np.ndarray, counts: Sequence[int] | np.ndarray, seed: int = 0,
                where: str = "data") -> np.ndarray:
    """Rows of the long-tailed subset, class after class: the first `counts[c]` of one shuffle of each class.

    The same draws as the benchmark's released code: NumPy's legacy generator, seeded once, one shuffle per
    class in label order; so subsets of one seed are nested in the imbalance.

    Args:
      labels: labels of all rows, [n].
      counts: rows to keep per class, [C].
      seed: of the shuffles; the benchmarks have 0.

    References:
      Cao et al., arXiv:1906.07413.
    """
    labels, counts = np.asarray(labels), np.asarray(counts, np.int64)
    check_available(counts, np.bincount(labels, minlength=len(counts)), where)
    generator = np.random.RandomState(seed)
    kept = []
    for c, count in enumerate(counts):
        rows = np.flatnonzero(labels == c)
        generator.shuffle(rows)
        kept.append(rows[:count])
    return np.concatenate(kept).astype(np.int64)


def ranked_rows(labels: np.ndarray, ranks: np.ndarray, counts: np.ndarray, where: str = "data") -> np.ndarray:
    """The rows of `subset_rows` for a file that holds each row's place in its class's shuffle.

    A file that stores only the rows of one imbalance can serve every smaller subset this way.
    """
    check_available(counts, np.bincount(labels, minlength=len(counts)), where)
    order = np.lexsort((ranks, labels))
    return order[ranks[order] < counts[labels[order]]].astype(np.int64)


def split_validation(labels: np.ndarray, *, per_class: int = 0, share: float = 0.0, seed: int = 0,
                     where: str = "data") -> tuple[np.ndarray, np.ndarray]:
    """Positions of a stratified (training, validation) split of long-tailed rows; both keep the rows' order.

    Args:
      labels: labels of the long-tailed rows, [n].
      per_class: validation rows of every class; or
      share: share of every class, rounded to the nearest whole number, at least one row.
      seed: of the draw; separate from the subset's, so that the same rows are split.

    Raises:
      ConfigError: where a class would be left without a training row, a singleton class above all.
    """
    if per_class and share:
        raise ConfigError(f"{where}: val_per_class={per_class} and val_share={share:g} exclude each other. "
                          "Set one of them to 0.")
    if per_class < 0 or not 0 <= share < 1:
        raise ConfigError(f"{where}: val_per_class={per_class} must not be negative and val_share={share:g} "
                          "must lie in [0, 1).")
    generator = np.random.default_rng([seed, 0x76616C])
    chosen = np.zeros(len(labels), bool)
    if per_class or share:
        for c in np.unique(labels):
            rows = np.flatnonzero(labels == c)
            wanted = per_class or max(1, int(np.floor(share * len(rows) + 0.5)))
            if len(rows) <= wanted:
                raise ConfigError(
                    f"{where}: class {c} has {len(rows)} rows, too few to give {wanted} to validation and "
                    "keep one for training. Lower the imbalance, take fewer validation rows, or set "
                    "val_per_class and val_share to 0.")
            chosen[generator.permutation(rows)[:wanted]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


@dataclass(frozen=True)
class Protocol:
    """How a pool of rows becomes a long-tailed training split: the options that sources share.

    Attributes:
      imbalance: ratio of largest to smallest class; 0 keeps all rows as they are.
      profile: `exp`, `step` or `pareto` (`class_counts`).
      largest: rows of the largest class; 0 takes what every class can give: the smallest class's rows for
        order `shuffled`, otherwise the size of the largest class.
      counts: explicit rows per class in label order; beats profile, imbalance and largest.
      order: which class gets the largest count (`order_counts`).
      subset_seed: which rows are kept.
      val_per_class, val_share, val_seed: the validation split (`split_validation`).
      prior_smoothing: added to every class count by the statistics; above 0 empty classes are allowed.
    """

    imbalance: float = 0.0
    profile: str = "exp"
    largest: int = 0
    counts: tuple[int, ...] = ()
    order: str = "label"
    subset_seed: int = 0
    val_per_class: int = 0
    val_share: float = 0.0
    val_seed: int = 0
    prior_smoothing: float = 0.0

    @property
    def kind(self) -> str:
        """`counts` where they are given, `longtail` where a profile makes them, `as_is` otherwise."""
        return "counts" if self.counts else "longtail" if self.imbalance else "as_is"

    def class_counts(self, available: np.ndarray) -> np.ndarray:
        """Rows to keep per class, before validation rows are taken out."""
        if self.kind == "as_is":
            return np.asarray(available, np.int64)
        if self.kind == "counts":
            return np.asarray(self.counts, np.int64)
        pool = available.min() if self.order == "shuffled" else available.max()
        counts = class_counts(len(available), self.largest or int(pool), self.imbalance, self.profile)
        return order_counts(counts, available, self.order, self.subset_seed)

    def record(self) -> dict[str, Any]:
        """The protocol fit for JSON."""
        made = self.kind == "longtail"
        return {
            "protocol": self.kind, "profile": self.profile if made else None,
            "imbalance": self.imbalance if made else None, "order": self.order if made else None,
            "subset_seed": self.subset_seed, "val_per_class": self.val_per_class, "val_share": self.val_share,
            "val_seed": self.val_seed, "prior_smoothing": self.prior_smoothing,
        }
