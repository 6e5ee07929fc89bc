"""Adapters of a head with a calibration of its own and of the projection of class vectors."""

import jax.numpy as jnp

from ltjax import losses, weights
from ltjax.heads.disalign import disalign as head_of
from ltjax.optim.projections import max_norm

from .common import reduced, with_gradients


def disalign(case):
    table = weights.grw(stats=case.stats, rho=case.params["rho"])
    labels, head = case.ints("labels"), head_of(classes=case.stats.classes)

    def f(scale, offset, conf_weights, conf_bias):
        confidence = {"kernel": conf_weights[:, None], "bias": conf_bias[None]}
        params = {"kernel": case.array("weights").T, "bias": case.array("bias"), "scale": scale,
                  "offset": offset, "confidence": confidence}
        z = head.apply({"params": params}, case.array("features"))["logits"]
        rows = losses.ce(z, labels, stats=case.stats)
        return reduced(rows, jnp.asarray(table, rows.dtype)[labels], "weight_sum"), {"logits": z}

    trained = {name: case.array(name) for name in ("scale", "offset", "conf_weights", "conf_bias")}
    return {**with_gradients(f, **trained), "class_weights": table}


def maxnorm_projection(case):
    projection = max_norm(threshold=case.params["thresh"])
    delta = projection.init({"head/kernel": case.array("reference_weights").T})
    params = {"head/kernel": case.array("weights").T, "head/bias": case.array("bias")}
    moved = projection.apply(params, delta)
    return {"delta": delta["head/kernel"], "weights": moved["head/kernel"].T, "bias": moved["head/bias"]}


ADAPTERS = {"rebalance/disalign": disalign, "rebalance/maxnorm_projection": maxnorm_projection}
