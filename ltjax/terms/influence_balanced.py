"""Influence-balanced loss."""

import jax
import jax.numpy as jnp

from ltjax.losses.stable import cross_entropy, focusing, wide
from ltjax.registry import register
from ltjax.terms.base import Term, no_state


@register("term", "influence_balanced", cite="arXiv:2110.02444", needs=("features",), value="example",
          own_weight=True, test_logits="neither",
          bounds={"alpha": (0.0, 1e9), "epsilon": (0.0, 1e3), "gamma": (0.0, 1e2)}, probe={"epsilon": 1.0})
def influence_balanced(*, alpha=1000.0, epsilon=0.001, gamma=0.0, detach=False):
    r"""Turns down examples that bend the decision boundary most.

    .. math:: (1 - e^{-c})^\gamma \frac{\alpha c}{\|p - e_y\|_1 \|h\|_1 + \epsilon}, \quad
        c = w_y \mathrm{CE}(z, y), \quad p = \mathrm{softmax}(z)

    Args:
      alpha: scale, 1000 in the authors' scripts; epsilon: added to the influence.
      gamma: focal exponent, 1 in the focal variant; w stands inside its exponent.
      detach: no gradient through the influence; the authors let it flow.
    The row's weight w is `batch["weight"]`; the mean is over the batch. Train with `ce` first.
    Reference: Park et al. 2021, arXiv:2110.02444, equation 9.
    """
    def apply(state, outputs, batch, ctx):
        ce = cross_entropy(outputs["logits"], batch["label"])
        h = wide(outputs["features"]).astype(ce.dtype)
        influence = -2 * jnp.expm1(-ce) * jnp.abs(h).sum(-1) + epsilon
        if detach:
            influence = jax.lax.stop_gradient(influence)
        c = batch["weight"].astype(ce.dtype) * ce if "weight" in batch else ce
        return alpha * focusing(c, gamma) * c / influence, state, {}

    return Term(no_state, apply)
