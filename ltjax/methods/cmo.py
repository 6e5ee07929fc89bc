"""CMO: patches of rare classes on images of frequent ones."""

from ltjax.methods.base import Entry, Method, Stage
from ltjax.registry import register


@register("method", "cmo", cite="arXiv:2112.00412",
          bounds={"alpha": (1e-3, 1e3), "probability": (0.0, 1.0), "mix_after": (0.0, 1.0), "mix_until": (0.0, 1.0),
                  "after": (0.0, 1.0), "beta": (0.0, 1.0)},
          choices={"normaliser": ("weight_sum", "batch")})
def cmo(*, loss="ce", alpha=1.0, probability=0.5, mix_after=0.02, mix_until=0.985, sampler="class_balanced", after=0.8,
        beta=0.9999, normaliser="weight_sum", head="linear"):
    """Half of the batches get a box from a batch of a class-balanced sampler; deferred re-weighting as in DRW.

    Both labels have a criterion of their own, each with its own sum of weights.

    Args:
      loss: of each label; with `balanced_softmax` set after=1.
      alpha, probability: of the box.
      mix_after, mix_until: shares of the run between which batches are mixed (4 to 197 of 200 epochs).
      sampler: of the second batch.
      after: share of the run without class weights (1 is none at all); beta: of the effective number.
      normaliser: of each label's criterion; `batch` for losses that take their weights inside (focal).
      head: the classifier.
    """
    weights = dict(name="effective_number", beta=beta, after=after) if after < 1 else None
    entry = Entry(loss, weights=weights, normaliser=normaliser if weights else "batch", pairs="each")
    mixer = dict(name="cmo", alpha=alpha, probability=probability, after=mix_after, until=mix_until)
    return Method(head=head, stages=(Stage(objective=(entry,), mixer=mixer, other=sampler),))
