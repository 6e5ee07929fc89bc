"""What augmentations ask of their input."""

import jax

from ltjax.registry import ConfigError


def check_image(part: str, image: jax.Array) -> None:
    """One sentence for examples that are no images [h, w, c]."""
    if image.ndim != 3:
        raise ConfigError(f"data.augment: {part!r} needs images [h, w, c], but an example has the shape "
                          f"{image.shape}; train without it.")
