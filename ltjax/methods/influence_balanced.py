"""Influence-balanced training."""

from ltjax.methods.base import Entry, Method, Stage
from ltjax.registry import register

HUNDREDTH = dict(name="steps", at=(0.5, 0.8, 0.9), factors=(1e-2, 1e-4, 1e-6), warmup=0.025)
"""The rate falls to a hundredth when the influence-balanced phase begins, whose loss is a thousandfold."""


@register("method", "influence_balanced", cite="arXiv:2110.02444", bounds={"ce_until": (0.0, 1.0)})
def influence_balanced(*, ce_until=0.5, alpha=1000.0, epsilon=0.001, gamma=0.0, detach=False, weights="inverse"):
    """Cross-entropy first, then examples weighed down by their influence on the boundary; one optimiser run.

    Args:
      ce_until: share of the run with plain cross-entropy; tie the first drop of the rate to it.
      alpha: factor of the loss; epsilon: added to the influence.
      gamma: focal exponent, 1 for the focal variant.
      detach: no gradient through the influence; the released code lets it flow.
      weights: class weights of the second phase, inside the loss.
    """
    start = Entry("ce", until=ce_until)
    loss = dict(name="influence_balanced", alpha=alpha, epsilon=epsilon, gamma=gamma, detach=detach)
    balanced = Entry(loss, weights=weights, after=ce_until)
    return Method(stages=(Stage(objective=(start, balanced), optim=dict(schedule=HUNDREDTH)),))
