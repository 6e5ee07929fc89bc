"""Layers that heads and models share: batch normalisation over groups, convolution, (normalised) dense.

All of them compute in the dtype of their input, and keep parameters and statistics in float32 or wider.
"""

from ltjax.layers.conv import Conv, kaiming_normal
from ltjax.layers.dense import Dense, NormedDense, cosines, unit, unit_columns
from ltjax.layers.norm import BatchNorm
from ltjax.layers.precision import wide

__all__ = ["BatchNorm", "Conv", "Dense", "NormedDense", "cosines", "kaiming_normal", "unit", "unit_columns",
           "wide"]
