"""Mixup."""

from ltjax.methods.base import Entry, Method, Stage
from ltjax.registry import register


@register("method", "mixup", cite="arXiv:1710.09412", bounds={"alpha": (1e-3, 1e3), "until": (0.0, 1.0)})
def mixup(*, loss="ce", alpha=1.0, until=1.0, head="linear"):
    """Cross-entropy on blended pairs of a batch, one ratio per batch (alpha 1 on CIFAR-LT, 0.2 on large sets).

    Args:
      loss: of both labels; alpha: of the ratio; head: the classifier.
      until: share of the run after which batches are clean.
    """
    entry = Entry(loss, pairs="each")
    return Method(head=head, stages=(Stage(objective=(entry,), mixer=dict(name="mixup", alpha=alpha, until=until)),))
