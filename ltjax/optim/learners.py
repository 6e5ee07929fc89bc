"""Parts that own parameters: they draw a batch's rows inside the step and learn from a held-out batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ltjax.registry import register
from ltjax.types import ClassStats


class Learner(NamedTuple):
    """What the step calls.

    `init(stats, dtype) -> own`; `draw(own, labels[n], keys[b]) -> (rows[b], noise[b,n])`, one key per global row;
    `learn(own, rows, noise, labels, params, *, weighted, held_out, rate, total, mine) -> own`, where
    `weighted(params, weight[b])` is the stage's objective of the drawn rows, `held_out(params)` plain
    cross-entropy of the second sampler's rows, `rate` the learning rate, `total` the sum over devices and
    `mine` marks own parameters before they are differentiated (their gradients then stay local until summed).
    """

    init: Callable
    draw: Callable
    learn: Callable


def initial_theta(stats: ClassStats, power: float) -> np.ndarray:
    """Logits of the first rates: q / (min q + max q) with q = prior^-power, float64 [C]."""
    q = stats.prior ** -power
    rate = q / (q.min() + q.max())
    return np.log(rate) - np.log1p(-rate)


def row_scores(theta, labels, noise):
    """log rate of each row's class plus the noise: [b, n]."""
    return jnp.expand_dims(jax.nn.log_sigmoid(theta)[labels], 0) + noise


def chosen_weight(theta, labels, noise, rows, temperature=1.0):
    """1 for every drawn row, with the gradient of its soft share (straight-through)."""
    soft = jax.nn.softmax(row_scores(theta, labels, noise) / temperature, axis=-1)
    share = jnp.take_along_axis(soft, jnp.expand_dims(rows, -1), axis=-1)[:, 0]
    return 1 + share - jax.lax.stop_gradient(share)


@register("learner", "meta_sampler", cite="arXiv:2007.10740",
          bounds={"lr": (0.0, 10.0), "init_power": (0.0, 10.0), "temperature": (1e-6, 1e6)})
def meta_sampler(*, lr=0.01, init_power=0.0, temperature=1.0) -> Learner:
    r"""One learned sampling rate per class, taught by a class-balanced batch.

    .. math:: \text{row} = \arg\max_n \log\sigma(\theta_{y_n}) + g_n, \quad g_n \sim \mathrm{Gumbel}

    Each step draws a batch with the present rates, moves the trained parameters once by plain SGD on its weighted
    loss, measures cross-entropy of the moved parameters on a class-balanced batch, and sends the gradient through
    both (straight-through over the soft draw) to theta, which Adam moves. The moved parameters are thrown away.

    Args:
      lr: of Adam on theta, 0.01 on CIFAR-LT, 0.001 on the large sets.
      init_power: 0 starts all rates at 1/2; 0.1 on ImageNet-LT, 0.3 on Places-LT.
      temperature: of the soft draw.
    Reference: Ren et al. 2020, section 3.3. The held-out batch is drawn from the training rows, as the authors do on
    CIFAR; on the large sets they use validation data.
    """
    adam = optax.adam(lr)

    def init(stats, dtype):
        theta = jnp.asarray(initial_theta(stats, init_power), dtype)
        return {"theta": theta, "adam": adam.init(theta)}

    def draw(own, labels, keys):
        noise = jax.vmap(lambda key: jax.random.gumbel(key, labels.shape, own["theta"].dtype))(keys)
        return row_scores(own["theta"], labels, noise).argmax(-1).astype(jnp.int32), noise

    def learn(own, rows, noise, labels, params, *, weighted, held_out, rate, total, mine):
        def outer(theta):
            weight = chosen_weight(theta, labels, noise, rows, temperature)
            gradient = total(jax.grad(lambda p: weighted(p, weight))(params))
            return held_out({k: p - jnp.asarray(rate, p.dtype) * gradient[k] for k, p in params.items()})

        gradient = total(jax.grad(outer)(mine(own["theta"])))
        updates, state = adam.update(gradient, own["adam"])
        return {"theta": own["theta"] + updates, "adam": state}

    return Learner(init, draw, learn)
