"""A random square of the image set to zero."""

import jax
import jax.numpy as jnp

from ltjax.augment.images import check_image
from ltjax.registry import register


@register("augment", "cutout", cite="arXiv:1708.04552", bounds={"size": (0, 1024)})
def cutout(*, size: int = 16):
    """Sets a square to zero; its centre is a random pixel, so that it may stick out of the image.

    Args:
      size: side of the square in pixels. Zero is the mean colour only if the image is normalised already.
    Reference: DeVries and Taylor 2017.
    """

    def augment(key: jax.Array, image: jax.Array) -> jax.Array:
        check_image("cutout", image)
        height, width = image.shape[0], image.shape[1]
        row, column = jax.random.randint(key, (2,), 0, jnp.array([height, width]))
        inside = (_near(height, row, size)[:, None] & _near(width, column, size)[None, :])[:, :, None]
        return jnp.where(inside, jnp.zeros_like(image), image)

    return augment


def _near(side: int, centre: jax.Array, size: int) -> jax.Array:
    at = jnp.arange(side)
    return (at >= centre - size // 2) & (at < centre - size // 2 + size)
