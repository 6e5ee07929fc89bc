"""One box of every image replaced by that of its partner: within the batch, or from a second sampler."""

import jax
import jax.numpy as jnp

from ltjax.mixers.base import Mixed, Mixer, windowed
from ltjax.registry import ConfigError, register

OPTIONS = {"alpha": (1e-3, 1e3), "probability": (0.0, 1.0)}


def box_around(centre: jax.Array, lam: jax.Array, height: int, width: int) -> jax.Array:
    """Box [row0, column0, row1, column1] whose uncut sides are sqrt(1 - lam) of the image's, whole pixels.

    Each side is cut down to a whole number and halved downwards around the centre (row, column), then clipped
    to the image: it may be empty.
    """
    sides = jnp.asarray([height, width])
    root = jnp.sqrt(jnp.maximum(1 - jnp.asarray(lam), 0))
    half = (sides * root).astype(jnp.int32) // 2
    zero = jnp.zeros_like(sides)
    return jnp.concatenate([jnp.clip(centre - half, zero, sides), jnp.clip(centre + half, zero, sides)])


def paste(images: jax.Array, others: jax.Array, box: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Images [b, ..., h, w, c] with the box taken from the others, and the share of the image that stays."""
    height, width = image_size(images)
    rows, columns = jnp.arange(height), jnp.arange(width)
    rows, columns = (rows >= box[0]) & (rows < box[2]), (columns >= box[1]) & (columns < box[3])
    inside = (rows[:, None] & columns[None, :])[:, :, None]
    inside = inside.reshape((1,) * (images.ndim - 3) + inside.shape)
    area = (box[2] - box[0]) * (box[3] - box[1])
    return jnp.where(inside, others, images), 1 - area / (height * width)


def image_size(images: jax.Array) -> tuple[int, int]:
    """Height and width of images [b, ..., h, w, c], or one sentence for inputs that are no images."""
    if images.ndim < 4:
        raise ConfigError(f"a mixer that pastes boxes needs images [b, h, w, c], got inputs {images.shape}; "
                          "use 'mixup' or 'remix' for feature vectors.")
    return images.shape[-3], images.shape[-2]


def _boxes(alpha: float, probability: float, after: int, until: int | None) -> Mixer:
    def draw(key, batch, ctx):
        of_lam, of_centre = jax.random.split(key)
        height, width = image_size(batch["x"])
        centre = jax.random.randint(of_centre, (2,), 0, jnp.asarray([height, width]))
        return {"box": box_around(centre, jax.random.beta(of_lam, alpha, alpha), height, width)}

    def mix(batch, values, stats):
        x, ratio = paste(batch["x"], batch["other"]["x"], jnp.asarray(values["box"]))
        return Mixed(x, batch["other"]["label"], ratio)

    return windowed(draw, mix, probability=probability, after=after, until=until)


@register("mixer", "cutmix", cite="arXiv:1905.04899", other="permutation", bounds=OPTIONS)
def cutmix(*, alpha: float = 1.0, probability: float = 0.5, after: int = 0,
           until: int | None = None) -> Mixer:
    r"""Pastes one box, the same for the whole batch, from another row of the batch.

    .. math:: \lambda \sim \mathrm{Beta}(\alpha, \alpha), \quad \text{sides} = \sqrt{1-\lambda}

    The label's weight is the share of pixels that stay, not lambda.

    Args:
      alpha: of the Beta.
      probability: share of batches that are mixed.
      after, until: first step of the stage that mixes and first that no longer does.
    Values: `box`, whole numbers [row0, column0, row1, column1].
    Reference: Yun et al. 2019, section 3.
    """
    return _boxes(alpha, probability, after, until)


@register("mixer", "cmo", cite="arXiv:2112.00412", other="sampler", bounds=OPTIONS)
def cmo(*, alpha: float = 1.0, probability: float = 0.5, after: int = 0, until: int | None = None) -> Mixer:
    r"""Pastes boxes of rows from a second, minority-weighted sampler onto the batch's images.

    .. math:: \lambda \sim \mathrm{Beta}(\alpha, \alpha), \quad \text{sides} = \sqrt{1-\lambda}

    The authors' second loader weighs each example by 1/n^a, a = 1, that is the sampler `class_balanced` (or
    `power` with gamma = 1 - a); their text has class weights n^-a. They mix only from the fifth epoch to the
    fourth last.

    Args:
      alpha, probability, after, until: see `cutmix`.
    Values: `box`, whole numbers [row0, column0, row1, column1].
    Reference: Park et al. 2022.
    """
    return _boxes(alpha, probability, after, until)
