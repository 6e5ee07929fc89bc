"""Random mirror image."""

import jax
import jax.numpy as jnp

from ltjax.augment.images import check_image
from ltjax.registry import register


@register("augment", "flip", bounds={"probability": (0.0, 1.0)})
def flip(*, probability: float = 0.5):
    """Mirrors left and right with the given probability.

    Args:
      probability: share of images that are mirrored; 1 mirrors all of them.
    Reference: Krizhevsky et al. 2012.
    """

    def augment(key: jax.Array, image: jax.Array) -> jax.Array:
        check_image("flip", image)
        return jnp.where(jax.random.uniform(key) < probability, image[:, ::-1], image)

    return augment
