"""AnyLoss: a metric of the batch's confusion matrix as the loss."""

from ltjax.methods.base import Method, Stage
from ltjax.registry import register


@register("method", "anyloss", cite="arXiv:2405.14745", bounds={"beta": (0.0, 1e3), "amplification": (1e-6, 1e6)},
          choices={"metric": ("balanced_accuracy", "gmean", "fbeta", "accuracy", "jaccard", "matthews")})
def anyloss(*, metric="balanced_accuracy", beta=1.0, amplification=10.0):
    """One minus a metric of the soft confusion matrix of each batch, every class against the rest.

    The authors train two classes with an amplification of 73, in full batches at a rate of 0.1. With many classes
    probabilities start near zero, where the slope of so steep a sigmoid has vanished: the default is ours. There is no
    value per example; large batches make the metric meaningful.

    Args:
      metric: what is maximised, see `ltjax list term anyloss`.
      beta: of `fbeta`.
      amplification: how sharply probabilities are pushed to 0 and 1.
    """
    objective = dict(name="anyloss", metric=metric, beta=beta, amplification=amplification)
    return Method(stages=(Stage(objective=objective),))
