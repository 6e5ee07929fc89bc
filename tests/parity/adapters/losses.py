"""Adapters of the losses that read logits and labels."""

from functools import partial

from ltjax import losses, priors
from ltjax.types import ClassStats

from .common import per_example_loss


def given_weights(case):
    return case.numbers("class_weights") if case.inputs.get("class_weights") is not None else None


def prior_stats(case):
    """Statistics with the case's prior; its class counts, where present, are information only."""
    return ClassStats(case.inputs["prior"])


def cross_entropy(case):
    return per_example_loss(case, partial(losses.ce, stats=case.stats))


def weighted_cross_entropy(case):
    return per_example_loss(case, partial(losses.ce, stats=case.stats), given_weights(case),
                            case.params["normalize"])


def focal(case):
    weights = given_weights(case)
    options = dict(gamma=case.params["gamma"], detach=case.params["detach_modulator"])

    def call(logits, labels):
        weight = None if weights is None else case.array("class_weights")[labels]
        return losses.focal(logits, labels, stats=case.stats, weight=weight, **options)

    return per_example_loss(case, call)


def ldam(case):
    max_margin, scale = case.params["max_m"], case.params["scale"]
    call = partial(losses.ldam, stats=case.stats, max_margin=max_margin, scale=scale)
    out = per_example_loss(case, call, given_weights(case), "weight_sum")
    return {**out, "margins": priors.margins(case.stats.counts, max_margin)}


def balanced_softmax(case):
    return per_example_loss(case, partial(losses.balanced_softmax, stats=case.stats))


def logit_adjusted_loss(case):
    options = dict(tau=case.params["tau"], epsilon=case.params["eps"])
    return per_example_loss(case, partial(losses.logit_adjusted, stats=prior_stats(case), **options))


ADAPTERS = {
    "rebalance/cross_entropy": cross_entropy,
    "rebalance/weighted_cross_entropy": weighted_cross_entropy,
    "rebalance/focal": focal,
    "rebalance/ldam": ldam,
    "rebalance/balanced_softmax": balanced_softmax,
    "rebalance/logit_adjusted_loss": logit_adjusted_loss,
}
