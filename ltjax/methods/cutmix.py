"""CutMix."""

from ltjax.methods.base import Entry, Method, Stage
from ltjax.methods.cifar import cifar
from ltjax.registry import register


@register("method", "cutmix", cite="arXiv:1905.04899",
          bounds={"alpha": (1e-3, 1e3), "probability": (0.0, 1.0), "until": (0.0, 1.0)})
def cutmix(*, loss="ce", alpha=1.0, probability=0.5, until=1.0, head="linear"):
    """A box of each image comes from another row of the batch; both labels count by their pixels.

    One box per batch, half of the batches, as in the code that long-tail papers compare with (`cmo` takes the box
    from a batch that favours rare classes).

    Args:
      loss: of both labels.
      alpha: of the Beta behind the size of the box; probability: share of batches that get one.
      until: share of the run after which batches are clean.
      head: the classifier.
    """
    mixer = dict(name="cutmix", alpha=alpha, probability=probability, until=until)
    return Method(head=head, stages=(Stage(objective=(Entry(loss, pairs="each"),), mixer=mixer),), recipe=cifar())
