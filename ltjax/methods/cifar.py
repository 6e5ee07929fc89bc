"""What most papers of the field train CIFAR-10-LT and CIFAR-100-LT with, as the `recipe` of a method."""

from __future__ import annotations

from typing import Any


def cifar(epochs: int = 200, batch: int = 128, augment: tuple[str | dict[str, Any], ...] = ("crop", "flip")):
    """Epochs, batch and augmentation; the optimiser that goes with them is the library's default.

    >>> cifar(batch=64)["optim.batch"]
    64
    """
    return {"optim.epochs": epochs, "optim.batch": batch, "data.augment": augment}
