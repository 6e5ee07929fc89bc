"""Seesaw loss: running class counts and scores decide how hard a class is pushed down."""

import math

import jax
import jax.numpy as jnp

from ltjax.losses.stable import cross_entropy, is_label, wide
from ltjax.registry import register
from ltjax.terms.base import Term, mask_of


def seesaw_loss(logits, labels, counts, *, mitigation=0.8, compensation=2.0, epsilon=0.01):
    """The loss [b] at given cumulative counts [C]."""
    z = wide(logits)
    extra = z.shape[-1] - counts.shape[0]
    log_n = jnp.pad(jnp.log(jnp.maximum(counts, 1)), (0, extra), constant_values=jnp.finfo(z.dtype).max)
    log_s = jax.nn.log_softmax(jax.lax.stop_gradient(z))
    own = jnp.take_along_axis(log_s, labels[:, None], -1)
    rarer = jnp.minimum(log_n[None, :] - log_n[labels][:, None], 0)
    likelier = jnp.maximum(log_s - jnp.maximum(own, math.log(epsilon)), 0)
    return cross_entropy(z + mitigation * rarer + compensation * likelier, labels)


@register("term", "seesaw", cite="arXiv:2008.10032", needs=(), value="example", test_logits="neither",
          bounds={"mitigation": (0.0, 1e2), "compensation": (0.0, 1e2), "epsilon": (1e-30, 1.0)},
          probe={"epsilon": 0.3})
def seesaw(*, mitigation=0.8, compensation=2.0, epsilon=0.01):
    r"""Pushes a class down less the rarer it is, and more when it wins by mistake.

    .. math:: \mathrm{CE}(z + \log S_y, y), \quad
        S_{yj} = \min(1, N_j / N_y)^p \max(1, s_j / \max(s_y, \epsilon))^q, \quad s = \mathrm{softmax}(z)

    Args:
      mitigation: p; compensation: q; epsilon: floor of the label's score. Scores carry no gradient.
    State: N, the examples of each class so far, moved by the batch before its loss; below 1 it counts as 1.
    Columns beyond the classes have no count and are compensated only. The mean is over the batch.
    Reference: Wang et al. 2021, arXiv:2008.10032, section 3.
    """
    def init(key, spec):
        return {"counts": jnp.zeros(spec["classes"], spec["dtype"])}

    def apply(state, outputs, batch, ctx):
        z, labels = wide(outputs["logits"]), batch["label"]
        seen = is_label(labels, state["counts"].size) * mask_of(batch, z.dtype)[:, None]
        counts = state["counts"] + ctx.across.total(seen.sum(0))
        value = seesaw_loss(z, labels, counts, mitigation=mitigation, compensation=compensation,
                            epsilon=epsilon)
        return value, {"counts": counts}, {}

    return Term(init, apply)
