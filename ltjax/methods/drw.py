"""Deferred re-weighting: a loss without class weights first, with effective-number weights at the end."""

from ltjax.methods.base import Entry, Method, Stage
from ltjax.registry import register


@register("method", "drw", cite="arXiv:1906.07413", bounds={"after": (0.0, 1.0), "beta": (0.0, 1.0)},
          choices={"normaliser": ("weight_sum", "batch")})
def drw(*, loss="ce", after=0.8, beta=0.9999, normaliser="weight_sum", head="linear"):
    """Cross-entropy, or another loss, whose examples are re-weighted from the last learning-rate drops on.

    The mean is sum(w*l)/sum(w), as in the authors' loop; momentum is kept at the deferral.

    Args:
      loss: the loss that is weighted.
      after: share of the run without weights (160 of 200 epochs; keep it tied to the first drop of the rate).
      beta: of the effective number.
      normaliser: `batch` divides by the number of examples; losses that take weights inside (focal) need it.
      head: the classifier.
    """
    weights = dict(name="effective_number", beta=beta, after=after)
    return Method(head=head, stages=(Stage(objective=(Entry(loss, weights=weights, normaliser=normaliser),)),))
