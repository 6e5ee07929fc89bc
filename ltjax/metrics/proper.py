"""Proper scores of single rows: negative log likelihood and Brier score, for NumPy and JAX arrays alike."""

from __future__ import annotations


def log_softmax(logits):
    """Log probabilities, computed stably; a logit of -inf stays -inf."""
    xp = logits.__array_namespace__()
    top = xp.max(logits, axis=-1, keepdims=True)
    shifted = logits - top
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))


def nll_rows(logits, labels):
    r"""Negative log likelihood of each row.

    .. math:: -\log p_y

    Args:
      logits: z, float [b, c]; labels: y, int [b].
    """
    xp = logits.__array_namespace__()
    return -xp.take_along_axis(log_softmax(logits), labels[:, None], axis=-1)[:, 0]


def brier_rows(logits, labels):
    r"""Brier score of each row, between 0 and 2.

    .. math:: \sum_k (p_k - [y=k])^2

    Args:
      logits: z, float [b, c]; labels: y, int [b].
    Reference: Brier 1950; scikit-learn's `brier_score_loss` with scale_by_half=False.
    """
    xp = logits.__array_namespace__()
    p = xp.exp(log_softmax(logits))
    true = (labels[:, None] == xp.arange(logits.shape[-1])[None, :]).astype(p.dtype)
    return xp.sum((p - true) ** 2, axis=-1)
