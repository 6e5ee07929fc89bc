"""Handwritten digits with a long tail: embedded in scikit-learn, so it runs everywhere at once."""

from __future__ import annotations

import numpy as np

from ltjax.data.base import Dataset
from ltjax.data.longtail import BOUNDS, ORDERS, PROFILES, Protocol
from ltjax.data.pool import assemble, of_array
from ltjax.registry import ConfigError, register

TEST_SEED = 0
"""Of the test rows; no option, so that every run of every setting is tested on the same images."""


@register("data", "digits_lt", fixed=True,
          bounds={**BOUNDS, "imbalance": (1.0, np.inf), "largest": (1, np.inf), "test_per_class": (1, np.inf)},
          choices={"profile": PROFILES, "order": ORDERS})
def digits_lt(*, imbalance: float = 50.0, profile: str = "exp", largest: int = 120, subset_seed: int = 0,
              val_per_class: int = 0, test_per_class: int = 50, prior_smoothing: float = 0.0,
              counts: tuple = (), order: str = "label", val_share: float = 0.0, val_seed: int = 0) -> Dataset:
    """8x8 handwritten digits, 10 classes; the largest class has 120 training images, the smallest 2.

    Test images are drawn first, per class and with a fixed seed; the long tail comes from the others. Pixels
    are whole numbers 0 to 16. `index` is the row in scikit-learn's array for every split.

    Args:
      imbalance: ratio of the largest to the smallest class.
      profile: `exp`, `step` or `pareto`.
      largest: training images of the largest class.
      subset_seed: which training images are kept.
      val_per_class: validation images per class, taken from the long-tailed rows.
      test_per_class: test images per class.
      prior_smoothing: added to every class count by the statistics.
      counts: explicit training images per class instead of a profile.
      order: which class gets the largest count: `label`, `size` or `shuffled`.
      val_share: share of every class that goes to validation, instead of `val_per_class`.
      val_seed: which of the kept images those are.

    References:
      UCI repository, Optical Recognition of Handwritten Digits (Alpaydin and Kaynak, 1998).
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    x, label = digits.images.astype(np.uint8)[..., None], digits.target.astype(np.int32)
    spare = int(np.bincount(label).min()) - test_per_class
    if spare < 1:
        raise ConfigError(f"data.test_per_class={test_per_class} leaves no training image in some class. "
                          f"Accepted: 1 to {spare + test_per_class - 1}.")
    generator = np.random.default_rng([TEST_SEED, 8])
    held = np.concatenate([np.sort(generator.permutation(np.flatnonzero(label == c))[:test_per_class])
                           for c in range(10)])
    rest = np.setdiff1d(np.arange(len(label)), held)
    protocol = Protocol(imbalance, profile, largest, tuple(counts), order, subset_seed, val_per_class,
                        val_share, val_seed, prior_smoothing)
    return assemble(
        "digits_lt", train=of_array(x[rest], label[rest], index=rest),
        test=of_array(x[held], label[held], index=held), protocol=protocol,
        class_names=tuple(str(c) for c in range(10)), scale=16.0, info={"test_per_class": test_per_class})
