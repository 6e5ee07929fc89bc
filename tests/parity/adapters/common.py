"""What adapters share: reducing per-example values as the papers do, and gradients by name."""

from collections.abc import Callable

import jax
import jax.numpy as jnp


def reduced(values, weights=None, normaliser: str = "batch"):
    """The batch's loss: sum of w*l over the batch size, over the sum of w, or not divided ("sum")."""
    weights = jnp.ones_like(values) if weights is None else weights
    total = (weights * values).sum()
    return {"batch": total / values.size, "weight_sum": total / weights.sum(), "sum": total}[normaliser]


def with_gradients(f: Callable, **wrt) -> dict:
    """`f(**wrt) -> (loss, other outputs)`; adds `loss` and `grad_<name>` for every argument."""
    (loss, outputs), grads = jax.jit(jax.value_and_grad(lambda args: f(**args), has_aux=True))(wrt)
    return {**outputs, "loss": loss, **{f"grad_{name}": grad for name, grad in grads.items()}}


def per_example_loss(case, call: Callable, weights=None, normaliser: str = "batch") -> dict:
    """Of a loss of logits and labels: `loss`, `per_example` (weighted, not divided), `grad_logits`."""
    labels = case.ints("labels")

    def f(logits):
        values = call(logits, labels)
        row = None if weights is None else jnp.asarray(weights, values.dtype)[labels]
        return reduced(values, row, normaliser), {"per_example": values if row is None else row * values}

    return with_gradients(f, logits=case.array("logits"))
