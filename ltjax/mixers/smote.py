"""SMOTE on features: new rows between a row of a class and one of its nearest neighbours in that class.

These are plain functions on the host and no mixer on purpose. A mixer sees a batch and its partner rows, while the
neighbours of a row have to be looked for among all rows of its class; blending with any other row of the class is
mixup inside classes, which leaves out what SMOTE is about. Fill up features before a classifier is trained on them.
"""

from __future__ import annotations

import numpy as np


def neighbours(features: np.ndarray, k: int = 5) -> np.ndarray:
    """The k nearest other rows of every row, nearest first (Euclidean); int64 [n, min(k, n - 1)].

    Args:
      features: rows of one class, [n, d] with n >= 2.
    """
    x = np.asarray(features, np.float64)
    if len(x) < 2:
        raise ValueError(f"SMOTE needs two rows of a class to put a third between them, got {len(x)}.")
    distance = ((x[:, None, :] - x[None, :, :]) ** 2).sum(-1)
    np.fill_diagonal(distance, np.inf)
    return np.argsort(distance, axis=1, kind="stable")[:, : min(k, len(x) - 1)]


def interpolate(features: np.ndarray, near: np.ndarray, rows: np.ndarray, cols: np.ndarray,
                steps: np.ndarray) -> np.ndarray:
    r"""New rows on the lines from base rows to their neighbours.

    .. math:: x_i + u (x_{nn} - x_i)

    Args:
      features: [n, d]; near: from `neighbours`.
      rows: i of each new row; cols: which of its neighbours, 0 the nearest; steps: u in [0, 1).
    """
    base = features[rows]
    return base + np.asarray(steps)[:, None] * (features[near[rows, cols]] - base)


def smote(features: np.ndarray, labels: np.ndarray, *, seed: int, target: int = 0,
          k: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Fills every class up with interpolated rows; use it on features rather than on pixels.

    Args:
      features: [n, d]; labels: int [n].
      seed: of the base rows, neighbours and steps.
      target: rows that each class shall have at least; 0: as many as the largest class.
      k: neighbours to choose from; a class with k rows or fewer uses all of its others. A class with one row
        cannot be interpolated and stays as it is, as does an absent one.
    Returns: the given rows and then the new ones, with their labels.
    Reference: Chawla et al. 2002; imbalanced-learn's `SMOTE`.
    """
    features, labels = np.asarray(features), np.asarray(labels)
    counts = np.bincount(labels)
    new_rows, new_labels = [features], [labels]
    for c, n in enumerate(counts):
        missing = (target or counts.max()) - n
        if n < 2 or missing <= 0:
            continue
        draw = np.random.default_rng([seed, c])
        mine = features[labels == c]
        near = neighbours(mine, k)
        rows, cols = draw.integers(n, size=missing), draw.integers(near.shape[1], size=missing)
        made = interpolate(mine, near, rows, cols, draw.random(missing))
        new_rows.append(made.astype(features.dtype))
        new_labels.append(np.full(missing, c, labels.dtype))
    return np.concatenate(new_rows), np.concatenate(new_labels)
