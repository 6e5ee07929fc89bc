"""One stage with one loss: the baseline, and the way to train any registered loss."""

from ltjax.methods.base import Entry, Method, Stage
from ltjax.registry import register


@register("method", "erm", cite="Vapnik 1992", choices={"normaliser": ("batch", "weight_sum")})
def erm(*, loss=None, weights=None, normaliser="batch", sampler="shuffle", mixer=None, head="linear", posthoc=()):
    """Cross-entropy, or the loss, class weights, sampler, mixer and head that you name.

    Args:
      loss: a loss or term, `"focal"` or `dict(name="focal", gamma=2.0)`; None is cross-entropy.
      weights: class weights, `dict(name="effective_number", after=0.8)`; normaliser: `batch` or `weight_sum`.
      posthoc: evaluation-time rules.
    """
    entry = Entry(loss or "ce", weights=weights, normaliser=normaliser)
    stage = Stage(objective=(entry,), sampler=sampler, mixer=mixer)
    return Method(stages=(stage,), head=head, posthoc=tuple(posthoc))
