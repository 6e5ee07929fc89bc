"""The one rule about number types: parameters, statistics, heads and losses are float32 or wider."""

from __future__ import annotations

import jax.numpy as jnp


def wide(dtype) -> jnp.dtype:
    """`dtype` if it is float32 or float64, otherwise float32.

    >>> wide("bfloat16"), wide("float64"), wide("uint8")
    (dtype('float32'), dtype('float64'), dtype('float32'))
    """
    return jnp.promote_types(dtype, jnp.float32)
