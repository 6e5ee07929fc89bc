"""AnyLoss: a confusion-matrix metric of the batch as the loss."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from ltjax.losses.stable import is_label, wide
from ltjax.registry import ConfigError, nearest, register
from ltjax.terms.base import Term, mask_of, no_state


def ratio(a, b):
    """a / b, and 0 where b is 0."""
    return jnp.where(b > 0, a / jnp.where(b > 0, b, 1), 0)


def root(x):
    """The square root, with slope 0 at 0."""
    return jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, x, 1)), 0)


METRICS: dict[str, Callable] = {
    "accuracy": lambda tp, fp, fn, tn: ratio(tp + tn, tp + fp + fn + tn),
    "balanced_accuracy": lambda tp, fp, fn, tn: (ratio(tp, tp + fn) + ratio(tn, tn + fp)) / 2,
    "gmean": lambda tp, fp, fn, tn: root(ratio(tp, tp + fn) * ratio(tn, tn + fp)),
    "jaccard": lambda tp, fp, fn, tn: ratio(tp, tp + fp + fn),
    "matthews": lambda tp, fp, fn, tn: ratio(tp * tn - fp * fn,
                                             root((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))),
}
"""Name -> metric of (tp, fp, fn, tn), elementwise; `fbeta` takes its beta from the options."""


def chosen(metric: str | Callable, beta: float) -> Callable:
    """The metric function behind a name, or the function itself."""
    if callable(metric):
        return metric
    if metric == "fbeta":
        return lambda tp, fp, fn, tn: ratio((1 + beta**2) * tp, (1 + beta**2) * tp + beta**2 * fn + fp)
    if metric not in METRICS:
        known = sorted([*METRICS, "fbeta"])
        raise ConfigError(f"anyloss.metric={metric!r} is not a known metric. {nearest(metric, known)}"
                          f"Known: {', '.join(known)}; or a function of (tp, fp, fn, tn).")
    return METRICS[metric]


def soft_confusion(scores, targets, mask, amplification):
    """tp, fp, fn, tn of this device's rows, summed over axis 0."""
    x = amplification * (scores - 0.5)
    high, low = jnp.exp(-jax.nn.softplus(-x)), jnp.exp(-jax.nn.softplus(x))  # slopes keep their digits at both ends
    yes, no = targets * mask, (1 - targets) * mask
    return jnp.stack([(yes * high).sum(0), (no * high).sum(0), (yes * low).sum(0), (no * low).sum(0)])


def class_scores(logits, labels):
    """Probabilities and one-hot targets: one column for a binary problem, else one per class."""
    k = logits.shape[-1]
    if k > 2:
        return jax.nn.softmax(logits), is_label(labels, k).astype(logits.dtype)
    positive = logits[:, -1:] if k == 1 else logits[:, 1:] - logits[:, :1]
    return jax.nn.sigmoid(positive), labels[:, None].astype(logits.dtype)


@register("term", "anyloss", cite="arXiv:2405.14745", needs=(), value="batch", test_logits="neither",
          bounds={"beta": (0.0, 1e3), "amplification": (1e-6, 1e6)},
          probe={"metric": "gmean", "beta": {"metric": "fbeta", "beta": 2.0}})
def anyloss(*, metric="balanced_accuracy", beta=1.0, amplification=73.0):
    r"""Minimises one minus a metric of the batch's soft confusion matrix.

    .. math:: 1 - \mathrm{metric}(TP, FP, FN, TN), \quad \hat y = \sigma(L (p - 1/2))

    Args:
      metric: a name in `METRICS`, `fbeta`, or a function of (tp, fp, fn, tn) that works elementwise.
      beta: of `fbeta`; amplification: L, how sharply probabilities are pushed to 0 and 1.
    With one or two logits class 1 is the positive one; with more, each class is set against the rest and
    the metric is averaged over the classes that the batch holds. No value per example: use large batches.
    The authors divide by the size of the whole training set even in mini-batches; this uses the batch's.
    Reference: Han et al. 2024, arXiv:2405.14745, section 3.
    """
    measure = chosen(metric, beta)

    def apply(state, outputs, batch, ctx):
        scores, targets = class_scores(wide(outputs["logits"]), batch["label"])
        mask = mask_of(batch, scores.dtype)[:, None]
        matrix = ctx.across.total(soft_confusion(scores, targets, mask, amplification))
        if scores.shape[-1] == 1:
            return 1 - measure(*matrix)[0], state, {}
        held = ctx.across.total((targets * mask).sum(0)) > 0
        values = measure(*jnp.where(held[None, :], matrix, 1))
        return 1 - jnp.where(held, values, 0).sum() / jnp.maximum(held.sum(), 1), state, {}

    return Term(no_state, apply)
