"""Adapter of the learned sampler: its start, its draw from given noise, its straight-through gradient."""

import jax
import jax.numpy as jnp

from ltjax.optim.learners import chosen_weight, initial_theta, row_scores
from ltjax.types import ClassStats


def meta_sampler(case):
    theta = jnp.asarray(initial_theta(ClassStats(case.inputs["class_counts"]), case.params["init_pow"]))
    labels, noise, losses = case.ints("labels"), case.array("gumbel"), case.array("losses")
    rows = row_scores(theta, labels, noise).argmax(-1)

    def surrogate(theta):
        return (losses * chosen_weight(theta, labels, noise, rows, case.params["temperature"])).mean()

    loss, gradient = jax.value_and_grad(surrogate)(theta)
    return {"theta": theta, "rates": jax.nn.sigmoid(theta), "indices": rows, "loss": loss, "grad_theta": gradient}


ADAPTERS = {"rebalance/meta_sampler": meta_sampler}
