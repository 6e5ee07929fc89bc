"""Adapters of the losses that read logits and labels."""

from functools import partial

import jax
import numpy as np

from ltjax import losses, priors
from ltjax.losses.class_temperature import tempered
from ltjax.losses.label_aware_smoothing import smoothing
from ltjax.losses.pairwise_margin import pair_margin
from ltjax.types import ClassStats

from .common import per_example_loss


def given_weights(case):
    return case.numbers("class_weights") if case.inputs.get("class_weights") is not None else None


def prior_stats(case):
    """Statistics with the case's prior; its class counts, where present, are information only."""
    if "prior" not in case.inputs:
        return case.stats
    prior, counts = case.numbers("prior"), case.inputs.get("class_counts")
    if counts is not None and np.allclose(np.divide(counts, np.sum(counts)), prior, rtol=1e-8, atol=0):
        return ClassStats(counts)  # the same prior with all its digits
    return ClassStats(prior)


def cross_entropy(case):
    return per_example_loss(case, partial(losses.ce, stats=case.uniform))


def weighted_cross_entropy(case):
    return per_example_loss(case, partial(losses.ce, stats=case.uniform), given_weights(case),
                            case.params["normalize"])


def focal(case):
    weights = given_weights(case)
    options = {"gamma": case.params["gamma"], "detach": case.param("detach_modulator", False)}

    def call(logits, labels):
        weight = None if weights is None else case.array("class_weights")[labels]
        return losses.focal(logits, labels, stats=case.uniform, weight=weight, **options)

    return per_example_loss(case, call)


def ldam(case):
    max_margin, scale = case.params["max_m"], case.params["scale"]
    call = partial(losses.ldam, stats=case.stats, max_margin=max_margin, scale=scale)
    out = per_example_loss(case, call, given_weights(case), "weight_sum")
    return {**out, "margins": priors.margins(case.stats.counts, max_margin)}


def balanced_softmax(case):
    return per_example_loss(case, partial(losses.balanced_softmax, stats=case.stats))


def logit_adjusted_loss(case):
    options = {"tau": case.params["tau"], "epsilon": case.params["eps"]}
    return per_example_loss(case, partial(losses.logit_adjusted, stats=prior_stats(case), **options))


def class_balanced_loss(case):
    options = {"form": case.params["loss_type"], "beta": case.params["beta"], "gamma": case.param("gamma", 0.0)}
    return per_example_loss(case, partial(losses.class_balanced, stats=case.stats, **options))


def cb_softmax_bce_port(case):
    call = partial(losses.cb_softmax_bce_port, stats=case.stats, beta=case.params["beta"])
    return per_example_loss(case, call)


def pairwise_margin_loss(case):
    options = {"kind": case.params["kind"], "tau": case.param("tau", 1.0),
               "threshold": case.param("threshold", 0.0), "gamma": case.param("gamma", 1.0)}
    stats = prior_stats(case)
    margin = pair_margin(stats, **options)
    delta = margin.column[None, :] + margin.row[:, None]
    out = per_example_loss(case, partial(losses.pairwise_margin, stats=stats, **options))
    return {**out, "Delta": delta * (1 - np.eye(stats.classes)), "alpha": margin.alpha}


def vs_loss(case):
    call = partial(losses.vs, stats=case.stats, gamma=case.params["gamma"], tau=case.params["tau"])
    return per_example_loss(case, call, given_weights(case), "weight_sum")


def cdt(case):
    return per_example_loss(case, partial(losses.cdt, stats=case.stats, gamma=case.params["gamma"]))


def class_temperature(case):
    options = {"stats": case.uniform, "temperatures": case.inputs["temperatures"]}
    out = per_example_loss(case, partial(losses.class_temperature, **options))
    return {**out, "probabilities": jax.nn.softmax(tempered(case.array("logits"), **options))}


def bayias(case):
    call = partial(losses.bayias, stats=case.stats, target_prior=case.inputs["target_prior"])
    return per_example_loss(case, call)


def equalization_softmax(case):
    call = partial(losses.equalization_softmax, stats=case.stats, mask=case.ints("beta_mask"),
                   gamma=case.params["gamma"], threshold=case.params["lambda"])
    return per_example_loss(case, call)


def equalization_sigmoid(case):
    call = partial(losses.equalization_sigmoid, stats=case.uniform, threshold=case.params["lambda"],
                   frequency=case.inputs["class_freq"])
    return per_example_loss(case, call)


def label_aware_smoothing(case):
    shape = {name: case.params[name] for name in ("shape", "smooth_head", "smooth_tail")}
    shape["power"] = case.param("power", 1.0)
    out = per_example_loss(case, partial(losses.label_aware_smoothing, stats=case.stats, **shape))
    return {**out, "smoothing": smoothing(case.stats, **shape)}


def gcl(case):
    call = partial(losses.gcl, stats=case.stats, noise=case.array("noise"), margin=case.params["m"],
                   scale=case.params["scale"], noise_scale=case.params["noise_mul"],
                   gamma=case.param("focal_gamma", 0.0))
    return per_example_loss(case, call)


def z_loss(case):
    call = partial(losses.z_loss, stats=case.uniform, slope=case.params["a"], offset=case.params["b"],
                   epsilon=case.params["eps"])
    return per_example_loss(case, call, normaliser="sum" if case.params["reduction"] == "sum" else "batch")


ADAPTERS = {
    "rebalance/cross_entropy": cross_entropy,
    "rebalance/weighted_cross_entropy": weighted_cross_entropy,
    "rebalance/focal": focal,
    "rebalance/class_balanced_loss": class_balanced_loss,
    "rebalance/cb_softmax_bce_port": cb_softmax_bce_port,
    "rebalance/ldam": ldam,
    "rebalance/balanced_softmax": balanced_softmax,
    "rebalance/logit_adjusted_loss": logit_adjusted_loss,
    "rebalance/pairwise_margin_loss": pairwise_margin_loss,
    "rebalance/vs_loss": vs_loss,
    "rebalance/cdt": cdt,
    "rebalance/class_temperature": class_temperature,
    "rebalance/bayias": bayias,
    "rebalance/equalization_softmax": equalization_softmax,
    "rebalance/equalization_sigmoid": equalization_sigmoid,
    "rebalance/label_aware_smoothing": label_aware_smoothing,
    "rebalance/gcl": gcl,
    "rebalance/z_loss": z_loss,
}
