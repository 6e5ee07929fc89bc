"""Augmentations: `augment(options) -> (key, image) -> image` for one image; the step maps them over rows."""

from ltjax.namespace import offer

offer(__name__, "augment")
