"""Augmentations of one image: `augment(options) -> (key, image) -> image`; the step maps them over the batch."""

from ltjax.namespace import offer

offer(__name__, "augment")
