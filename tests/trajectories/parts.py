"""Parts that the trajectories register: two small networks, and rows of scikit-learn's digits."""

from __future__ import annotations

import numpy as np
from flax import linen as nn
from jax import Array

from ltjax.data.base import Dataset, validate
from ltjax.layers import BatchNorm, Conv, Dense
from ltjax.models.common import leave, spatial_mean
from ltjax.registry import register


class DenseTrunk(nn.Module):
    """Dense layer with a bias, BatchNorm, rectifier."""

    norm_groups: int

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False, mask: Array | None = None) -> Array:
        h = Dense(24, name="dense1")(x.reshape(len(x), -1))
        h = BatchNorm(self.norm_groups, name="bn1")(h, train=train, mask=mask)
        return leave(nn.relu(h), x)


class ConvTrunk(nn.Module):
    """Two convolutions without bias, each with BatchNorm and a rectifier; then the mean over positions."""

    norm_groups: int

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False, mask: Array | None = None) -> Array:
        h = x
        for i, (width, stride) in enumerate(((8, 1), (16, 2)), start=1):
            h = Conv(width, 3, stride, name=f"conv{i}")(h)
            h = nn.relu(BatchNorm(self.norm_groups, name=f"bn{i}")(h, train=train, mask=mask))
        return leave(spatial_mean(h), x)


@register("model", "trajectory_mlp_bn")
def mlp_bn(*, dtype="float32", norm_groups=1) -> nn.Module:
    """Dense 64 -> 24, BatchNorm, rectifier."""
    return DenseTrunk(norm_groups)


@register("model", "trajectory_cnn_bn")
def cnn_bn(*, dtype="float32", norm_groups=1) -> nn.Module:
    """Convolutions 1 -> 8 -> 16, the second with stride 2."""
    return ConvTrunk(norm_groups)


@register("data", "digits_rows")
def digits_rows(*, train_index=(), test_index=()) -> Dataset:
    """The rows that are named, in their order; pixels are whole numbers 0 to 16."""
    from sklearn.datasets import load_digits

    digits = load_digits()

    def taken(rows):
        rows = np.asarray(rows, np.int64)
        return {"x": digits.images[rows].astype(np.uint8)[..., None], "label": digits.target[rows].astype(np.int32),
                "index": rows}

    names = tuple(str(c) for c in range(10))
    return validate(Dataset("digits_rows", taken(train_index), None, taken(test_index), 10, names, scale=16.0))
