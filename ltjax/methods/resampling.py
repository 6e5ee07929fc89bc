"""Cross-entropy on batches drawn by another rule."""

from ltjax.methods.base import Method, Stage
from ltjax.registry import register


def _sampled(sampler):
    return Method(stages=(Stage(sampler=sampler),))


@register("method", "class_balanced_sampling", cite="arXiv:1910.09217")
def class_balanced_sampling():
    """Every class equally likely, then one of its examples."""
    return _sampled("class_balanced")


@register("method", "square_root_sampling", cite="arXiv:1910.09217")
def square_root_sampling():
    """Classes in proportion to the square root of their counts."""
    return _sampled("square_root")


@register("method", "progressive_sampling", cite="arXiv:1910.09217")
def progressive_sampling():
    """From natural to class-balanced draws, epoch by epoch."""
    return _sampled("progressive")
