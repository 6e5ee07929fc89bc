"""Samplers, one rule each: `sampler(draw, options) -> Sampler`, whose `plan(first, count)` gives rows.

NumPy only. A plan is a pure function of seed, stream and step.
"""

from ltjax.namespace import offer

offer(__name__, "sampler")
