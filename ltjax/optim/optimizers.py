"""Update directions as Optax transformations; the trainer multiplies them by the learning rate afterwards."""

from __future__ import annotations

import jax.numpy as jnp
import optax

from ltjax.registry import register


@register("optimizer", "sgd")
def sgd(decay_mask, *, momentum, nesterov, weight_decay):
    """Momentum SGD as the authors' loops have it: decay joins the gradient, the rate multiplies after the momentum.

    g = grad + wd * p;  buffer = momentum * buffer + g;  p -= lr * buffer  (Nesterov: lr * (g + momentum * buffer)).
    """
    parts = [optax.masked(optax.add_decayed_weights(weight_decay), decay_mask)] if weight_decay else []
    if momentum:
        parts.append(optax.trace(decay=momentum, nesterov=nesterov))
    return optax.chain(*parts) if parts else optax.identity()


@register("optimizer", "adamw", cite="arXiv:1711.05101")
def adamw(decay_mask, *, momentum, nesterov, weight_decay):
    """Adam with decoupled weight decay; `optim.momentum` is beta1, beta2 is 0.999."""
    parts = [optax.scale_by_adam(b1=momentum, nesterov=nesterov)]
    if weight_decay:
        parts.append(optax.masked(optax.add_decayed_weights(weight_decay), decay_mask))
    return optax.chain(*parts)


def clip_factor(norm, clip):
    """min(1, clip / (norm + 1e-6)), the factor of the authors' loops (Optax's lacks the 1e-6)."""
    return jnp.minimum(1.0, clip / (norm + 1e-6))
