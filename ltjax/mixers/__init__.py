"""Mixers: `mixer(options) -> Mixer(draw, mix)`, a batch and its partner rows become one batch."""

from ltjax.namespace import offer

offer(__name__, "mixer")
