"""A Gaussian mixture whose best possible accuracy is known exactly: a yardstick for every method."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ltjax.data.base import Dataset
from ltjax.data.longtail import BOUNDS, ORDERS, PROFILES, Protocol, check_available
from ltjax.data.pool import Pool, assemble, of_array
from ltjax.registry import ConfigError, register

MIXTURE, TRAIN, TEST = 0, 1, 2
"""Streams of the seed: growing one of them never changes the others."""


@register("data", "synthetic", fixed=True, choices={"profile": PROFILES, "order": ORDERS},
          bounds={**BOUNDS, "classes": (2, 256), "dim": (1, 65_536), "largest": (1, np.inf),
                  "imbalance": (1.0, np.inf), "separation": (0.01, 100.0), "test_per_class": (1, np.inf),
                  "condition": (1.0, 1e8)})
def synthetic(*, classes: int = 5, dim: int = 8, largest: int = 2000, imbalance: float = 50.0,
              separation: float = 3.0, test_per_class: int = 1000, seed: int = 0, profile: str = "exp",
              subset_seed: int = 0, val_per_class: int = 0, prior_smoothing: float = 0.0, counts: tuple = (),
              order: str = "label", val_share: float = 0.0, val_seed: int = 0,
              condition: float = 4.0) -> Dataset:
    r"""Gaussian classes with one shared covariance and exactly known Bayes-optimal accuracies.

    Class c draws :math:`x = L (m_c + \epsilon)`, :math:`\epsilon \sim N(0, I)`. The :math:`m_c` are the
    corners of a regular simplex in a random position, so that all classes are equally hard and only their
    numbers differ; :math:`L` is symmetric with random axes. The best rule for a class prior is linear.
    `truth` holds (formula: `optimal_accuracies`; `standard_error` bounds the error of the quadrature):

    - `bayes_balanced_accuracy`: of the rule that is best under equal priors; no classifier's expected
      balanced accuracy is higher.
    - `bayes_train_accuracy`: of the rule that is best under the training prior, measured under that prior.
    - `train_rule_balanced_accuracy`, `train_rule_class_accuracy`: that same rule with equal weight per class,
      and per class: where plain cross-entropy ends with unlimited data.
    - `class_means` (:math:`L m_c`) and `covariance` (:math:`L L^\top`).

    Args:
      classes: number of classes, at most `dim + 1`.
      dim: number of features.
      largest: training rows of the largest class.
      imbalance: ratio of the largest to the smallest class.
      separation: distance between any two :math:`m_c`, in standard deviations of a class.
      test_per_class: test rows per class.
      seed: of the mixture and of the test rows.
      profile: `exp`, `step` or `pareto`.
      subset_seed: of the training rows; those of a smaller count are among those of a larger one.
      val_per_class: validation rows per class, taken from the long-tailed rows.
      prior_smoothing: added to every class count by the statistics.
      counts: explicit training rows per class instead of a profile.
      order: which class gets the largest count: `label`, `size` (here as `label`) or `shuffled`.
      val_share: share of every class that goes to validation, instead of `val_per_class`.
      val_seed: which of the rows those are.
      condition: largest over smallest eigenvalue of L.
    """
    where = "data 'synthetic'"
    if classes > dim + 1:
        raise ConfigError(f"{where}: {classes} equally distant classes need dim={classes - 1} or more, got "
                          f"dim={dim}.")
    protocol = Protocol(imbalance, profile, largest, tuple(counts), order, subset_seed, val_per_class,
                        val_share, val_seed, prior_smoothing)
    made = protocol.class_counts(np.full(classes, largest))
    check_available(made, np.full(classes, max(1, int(made.max()))), where)
    means, root = _mixture(classes, dim, separation, condition, seed)

    def draw(per_class: np.ndarray, *stream: int) -> Pool:
        rows = [np.random.default_rng([seed, *stream, c]).standard_normal((n, dim)) + means[c]
                for c, n in enumerate(per_class)]
        label = np.repeat(np.arange(classes), per_class)
        return of_array((np.concatenate(rows) @ root).astype(np.float32), label)

    dataset = assemble(
        "synthetic", train=draw(made, TRAIN, subset_seed), test=draw(np.full(classes, test_per_class), TEST),
        protocol=protocol, class_names=tuple(f"class {c}" for c in range(classes)), scale=1.0,
        info={"seed": seed, "separation": separation, "condition": condition})
    return replace(dataset, truth={
        **optimal_accuracies(dataset.counts + prior_smoothing, separation),
        "class_means": (means @ root).tolist(), "covariance": (root @ root).tolist()})


def _mixture(classes: int, dim: int, separation: float, condition: float, seed: int):
    """The :math:`m_c`, [C, d], and L, [d, d], whose eigenvalues have geometric mean 1."""
    generator = np.random.default_rng([seed, MIXTURE])
    corners = separation / np.sqrt(2.0) * _helmert(classes)  # [C, C-1]
    place, _ = np.linalg.qr(generator.standard_normal((dim, classes - 1)))
    axes, _ = np.linalg.qr(generator.standard_normal((dim, dim)))
    eigenvalues = condition ** (np.linspace(-0.5, 0.5, dim) if dim > 1 else np.zeros(1))
    return corners @ place.T, (axes * eigenvalues) @ axes.T


def _helmert(classes: int) -> np.ndarray:
    """Corners of the regular simplex with edges sqrt(2) around 0, one per row, [C, C-1]."""
    k = np.arange(1.0, classes)
    rows = np.where(np.arange(classes)[None, :] < k[:, None], 1.0, 0.0)
    rows[np.arange(classes - 1), np.arange(1, classes)] = -k
    return (rows / np.sqrt(k * (k + 1.0))[:, None]).T


def optimal_accuracies(counts: np.ndarray, separation: float) -> dict[str, float | list[float]]:
    r"""Accuracies of the optimal rules for Gaussian classes with unit covariance at equal distances.

    Up to a rotation and irrelevant directions, :math:`m_c = \frac{s}{\sqrt 2} e_c`, and the rule of the prior
    :math:`\pi` compares C independent normal numbers. An example of class y is right with probability

    .. math::
      a_y = \int \varphi(t) \prod_{j \ne y} \Phi\Big(t + \frac{s}{\sqrt 2}
        + \frac{\sqrt 2}{s} \log\frac{\pi_y}{\pi_j}\Big)\, dt,

    a smooth integrand that falls like a normal density, so the trapezoidal rule converges exponentially; two
    step lengths give the error.

    Args:
      counts: training counts (any positive multiple of the prior), [C].
      separation: s, the distance between two class means.
    """
    prior = np.asarray(counts, np.float64) / np.sum(counts)
    uniform = np.full(len(prior), 1.0 / len(prior))
    best, own = (_class_accuracies(p, separation, 600) for p in (uniform, prior))
    coarse_best, coarse_own = (_class_accuracies(p, separation, 400) for p in (uniform, prior))
    error = max(np.abs(best - coarse_best).max(), np.abs(own - coarse_own).max(), np.finfo(np.float64).eps)
    return {
        "bayes_balanced_accuracy": float(best.mean()), "standard_error": float(error),
        "bayes_train_accuracy": float(prior @ own), "train_rule_balanced_accuracy": float(own.mean()),
        "train_rule_class_accuracy": own.tolist(),
    }


def _class_accuracies(prior: np.ndarray, separation: float, steps: int, reach: float = 12.0) -> np.ndarray:
    from scipy.special import log_ndtr

    t = np.linspace(-reach, reach, steps + 1)
    log_density = -0.5 * t**2 - 0.5 * np.log(2.0 * np.pi)
    unit = separation / np.sqrt(2.0)
    log_prior = np.log(prior)
    accuracies = np.empty(len(prior))
    for y in range(len(prior)):
        ahead = unit + (log_prior[y] - np.delete(log_prior, y)) / unit
        log_value = log_density + log_ndtr(t[:, None] + ahead[None, :]).sum(axis=1)
        accuracies[y] = np.exp(log_value).sum() * (t[1] - t[0])
    return accuracies
