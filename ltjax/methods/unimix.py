"""UniMix with Bayias: blended pairs that lean towards rare classes, and a loss that knows the priors."""

from ltjax.methods.base import Entry, Method, Stage
from ltjax.methods.cifar import cifar
from ltjax.registry import register


@register("method", "unimix", cite="arXiv:2111.03874",
          bounds={"alpha": (1e-3, 1e3), "power": (-10.0, 10.0), "until": (0.0, 1.0)})
def unimix(*, loss="bayias", alpha=0.8, power=-0.1, until=1.0, head="linear"):
    """Each row is blended with one of its batch, drawn in favour of rare classes, at a ratio of its own.

    As released, which departs from the paper's text in alpha and power; the authors blend in all 200 epochs.

    Args:
      loss: of both labels.
      alpha: of the Beta, drawn for every row.
      power: tau, partners are drawn with p ~ n^tau: -0.1 on CIFAR-100-LT, -0.5 on CIFAR-10-LT.
      until: share of the run after which batches are clean.
      head: the classifier.
    """
    stage = Stage(objective=(Entry(loss, pairs="each"),), mixer=dict(name="unimix", alpha=alpha, until=until),
                  other=dict(name="in_batch", power=power))
    return Method(head=head, stages=(stage,), recipe=cifar(batch=64))
