"""Vector-scaling loss."""

from ltjax.methods.base import Entry, Method, Stage
from ltjax.registry import register


@register("method", "vs", cite="arXiv:2103.01550",
          bounds={"ce_until": (0.0, 1.0), "after": (0.0, 1.0), "beta": (0.0, 1.0)},
          probe={"beta": {"after": 0.8, "beta": 0.99}})
def vs(*, gamma=0.3, tau=1.0, ce_until=0.0, after=1.0, beta=0.9999):
    """Scaled and shifted logits in training; after a few epochs of cross-entropy, or re-weighted at the end, if wanted.

    Args:
      gamma: exponent of the scales; tau: of the shifts.
      ce_until: share of the run with plain cross-entropy, which large gamma needs (6 of 200 epochs).
      after: share of the run without class weights (1 is none at all); beta: of the effective number.
    """
    weights = dict(name="effective_number", beta=beta, after=after) if after < 1 else None
    normaliser = "weight_sum" if weights else "batch"
    start = (Entry("ce", weights=weights, normaliser=normaliser, until=ce_until),) if ce_until else ()
    rest = Entry(dict(name="vs", gamma=gamma, tau=tau), weights=weights, normaliser=normaliser, after=ce_until)
    return Method(stages=(Stage(objective=(*start, rest)),))
