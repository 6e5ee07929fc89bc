"""Relative accuracy: how much of what a balanced set of the same size allows."""

from __future__ import annotations

from typing import Any

import numpy as np


def relative_accuracy(accuracy, vanilla_balanced, method_balanced) -> dict[str, Any]:
    r"""Accuracy on the long tail divided by the upper reference on a balanced set.

    .. math:: A_r = A_t / A_u, \quad A_u = \max(A_v, A_b)

    The maximum of two noisy numbers is biased upward and the ratio may exceed 1, which is flagged. Over
    seeds, take the ratio per seed first.

    Args:
      accuracy: A_t, the method on the long-tailed set; fractions, a number or a list.
      vanilla_balanced: A_v, plain cross-entropy on a balanced set of about the same size.
      method_balanced: A_b, the same method on that balanced set.
    Reference: Zhang et al. 2023, "Deep Long-Tailed Learning: A Survey", section 4.1.
    """
    reached = np.asarray(accuracy, np.float64)
    upper = np.maximum(np.asarray(vanilla_balanced, np.float64), np.asarray(method_balanced, np.float64))
    if (upper <= 0).any():
        raise ValueError("the accuracy on the balanced set must be positive to divide by it.")
    return {"upper_reference": upper.tolist(), "relative_accuracy": (reached / upper).tolist(),
            "beats_upper": (reached > upper).tolist()}
