"""LDAM with deferred re-weighting."""

from ltjax.methods.base import Entry, Method, Stage
from ltjax.registry import register


@register("method", "ldam_drw", cite="arXiv:1906.07413", bounds={"after": (0.0, 1.0), "beta": (0.0, 1.0)})
def ldam_drw(*, max_margin=0.5, scale=30.0, after=0.8, beta=0.9999):
    """Label-distribution-aware margins on a cosine head, re-weighted from the first drop of the rate on.

    Follows the authors' release: margin before scale, weights under sum(w*l)/sum(w), weight decay on the stored
    kernel of the cosine head. `after=1` is LDAM alone. At test time the cosines are scaled by s, which changes
    probabilities and no prediction.

    Args:
      max_margin: margin of the rarest class; scale: s, of the cosines.
      after: share of the run without weights; beta: of the effective number.
    """
    weights = dict(name="effective_number", beta=beta, after=after)
    loss = dict(name="ldam", max_margin=max_margin, scale=scale)
    stage = Stage(objective=(Entry(loss, weights=weights, normaliser="weight_sum"),))
    return Method(head="cosine", stages=(stage,), posthoc=(dict(name="scale", factor=scale),))
