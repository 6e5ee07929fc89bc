"""Adapters of the terms: one device, the case's state in, value, gradients and state out."""

import jax
import jax.numpy as jnp

from ltjax import terms
from ltjax.terms.anyloss import chosen, soft_confusion
from ltjax.terms.bias_loss import spread, variance_weight
from ltjax.terms.dataset_equity import equity_weight
from ltjax.terms.dynamic_loss_reweight import loss_weights
from ltjax.terms.lade import regulariser
from ltjax.terms.multi_similarity import anchors
from ltjax.types import Context

from .common import reduced, with_gradients


def applied(case, term, state, batch=None, **outputs) -> dict:
    """A term of value [b] under the batch mean: loss, per_example, gradients, the new state."""
    batch = {"label": case.ints("labels"), **(batch or {})}

    def f(**outputs):
        value, new, _ = term.apply(state, outputs, batch, Context(case.uniform))
        return reduced(value), {"per_example": value, "state": new}

    out = with_gradients(f, **outputs)
    return {**out, **out.pop("state")}


def equalization_v2(case):
    term = terms.equalization_v2(**{name: float(case.params[name]) for name in ("gamma", "mu", "alpha")})
    state = {name: case.array(name) for name in ("pos_grad", "neg_grad", "pos_neg")}
    return applied(case, term, state, logits=case.array("logits"))


def seesaw(case):
    names = {"mitigation": "p", "compensation": "q", "epsilon": "eps"}
    term = terms.seesaw(**{ours: case.params[theirs] for ours, theirs in names.items()})
    out = applied(case, term, {"counts": case.array("class_counts")}, logits=case.array("logits"))
    return {**out, "new_counts": out["counts"]}


def influence_balanced(case):
    term = terms.influence_balanced(alpha=case.params["alpha"], epsilon=case.params["eps"],
                                    gamma=case.param("gamma", 0.0),
                                    detach=case.param("detach_weight", False))
    given = case.inputs.get("class_weights") is not None
    batch = {"weight": case.array("class_weights")[case.ints("labels")]} if given else {}
    return applied(case, term, {}, batch, logits=case.array("logits"), features=case.array("features"))


def bias_loss(case):
    options = {name: case.params[name] for name in ("alpha", "beta", "normalisation")}
    features, start = case.array("features"), jnp.asarray(case.inputs["global_min"], case.dtype)
    out = applied(case, _with_features(terms.bias_loss(**options), features), {"global_min": start},
                  logits=case.array("logits"))
    v = spread(features)
    low = out["global_min"] if options["normalisation"] == "global" else v.min()
    weights = variance_weight(v, low, v.min(), v.max(), options["alpha"], options["beta"])
    return {**out, "sample_weights": weights}


def _with_features(term, features):
    """The term with features that no gradient is asked of."""
    def apply(state, outputs, batch, ctx):
        return term.apply(state, {**outputs, "features": features}, batch, ctx)

    return term._replace(apply=apply)


def lade(case):
    options = {"alpha": case.params["alpha"], "remine": case.params["remine_lambda"]}
    batch, ctx = {"label": case.ints("labels")}, Context(case.stats)

    def total(logits):
        value, _, metrics = terms.lade(**options).apply({}, {"logits": logits}, batch, ctx)
        return value, {"ce": metrics["ce"], "reg": metrics["reg"]}

    logits = case.array("logits")
    mask = jnp.ones_like(logits[:, 0])

    def reg(logits):
        return regulariser(logits, batch["label"], mask, options["remine"], ctx)

    return {**with_gradients(total, logits=logits), "grad_logits_reg": jax.jit(jax.grad(reg))(logits)}


def anyloss(case):
    name = {"bacc": "balanced_accuracy"}.get(case.params["metric"], case.params["metric"])

    def f(scores):
        targets = case.array("targets")
        matrix = soft_confusion(scores, targets, jnp.ones_like(targets), case.params["L"])
        return 1 - chosen(name, case.param("beta", 1.0))(*matrix), {}

    return with_gradients(f, scores=case.array("scores"))


def multi_similarity(case):
    names = {"scale_pos": "scale_pos", "scale_neg": "scale_neg", "threshold": "thresh", "margin": "margin",
             "epsilon": "epsilon"}
    options = {ours: case.params[theirs] for ours, theirs in names.items()}
    label = case.ints("labels")
    same, other = label[:, None] == label[None, :], ~jnp.eye(label.size, dtype=bool)

    def f(features):
        loss = anchors(features @ features.T, same, other, **options)
        return reduced(loss), {"per_example": loss}

    return with_gradients(f, features=case.array("features"))


def dataset_equity_gfl(case):
    options = {"eta": case.params["eta"], "gamma": case.params["gamma"]}
    p = case.array("sample_likelihood")
    out = applied(case, terms.dataset_equity(**options), {"likelihood": p}, {"index": jnp.arange(p.size)},
                  logits=case.array("logits"))
    return {**out, "sample_weights": equity_weight(p, **options)}


def dynamic_loss_reweight(case):
    names = {"strategy": "strategy", "temperature": "r", "delta": "delta"}
    options = {ours: case.params[theirs] for ours, theirs in names.items()}

    def f(losses):
        weights = loss_weights(losses, jnp.ones_like(losses), **options)
        return (weights * losses).sum(), {"sample_weights": weights}

    return with_gradients(f, losses=case.array("losses"))


ADAPTERS = {
    "rebalance/equalization_v2": equalization_v2,
    "rebalance/seesaw": seesaw,
    "rebalance/influence_balanced": influence_balanced,
    "rebalance/bias_loss": bias_loss,
    "rebalance/lade": lade,
    "rebalance/anyloss": anyloss,
    "rebalance/multi_similarity": multi_similarity,
    "rebalance/dataset_equity_gfl": dataset_equity_gfl,
    "rebalance/dynamic_loss_reweight": dynamic_loss_reweight,
}
