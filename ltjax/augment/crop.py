"""Random shift of an image inside a black frame."""

import jax
import jax.numpy as jnp

from ltjax.augment.images import check_image
from ltjax.registry import register


@register("augment", "crop", bounds={"padding": (0, 1024)})
def crop(*, padding: int = 4):
    """Pads with zeros on all sides and cuts a window of the old size at a random place.

    Args:
      padding: pixels on each side; every one of the (2*padding + 1)^2 places is equally likely.
    Reference: the augmentation of CIFAR since Lee et al. 2015, arXiv:1409.5185.
    """

    def augment(key: jax.Array, image: jax.Array) -> jax.Array:
        check_image("crop", image)
        at = jax.random.randint(key, (2,), 0, 2 * padding + 1)
        padded = jnp.pad(image, ((padding, padding), (padding, padding), (0, 0)))
        return jax.lax.dynamic_slice(padded, (at[0], at[1], jnp.zeros_like(at[0])), image.shape)

    return augment
