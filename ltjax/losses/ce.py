"""Softmax cross-entropy."""

from ltjax.losses.stable import cross_entropy
from ltjax.registry import register


@register("loss", "ce", test_logits="train_posterior", extra_columns=True, reduces_to_ce=True)
def ce(logits, labels, *, stats):
    r"""Softmax cross-entropy, the baseline of every table.

    .. math:: \log\textstyle\sum_j e^{z_j} - z_y

    Args:
      logits: z [*b, k]; labels: y [*b]; stats: class counts, not used.
    Weights and their normaliser belong to the objective's entry.
    """
    return cross_entropy(logits, labels)
