"""Balanced softmax."""

from ltjax.methods.base import Method, Stage
from ltjax.registry import register


@register("method", "balanced_softmax", cite="arXiv:2007.10740")
def balanced_softmax():
    """Cross-entropy of logits plus log class counts; the raw logits are used at test time.

    The paper's CIFAR numbers come from AutoAugment and 13,000 iterations at batch 512; this is its loss under the
    config's recipe.
    """
    return Method(stages=(Stage(objective="balanced_softmax"),))
