"""Supervised contrast with a memory of past features."""

import jax.numpy as jnp

from ltjax.contrast import contrast, dots, unit
from ltjax.losses.stable import wide
from ltjax.registry import ConfigError, register
from ltjax.terms.base import Term, mask_of, pairs
from ltjax.types import Sum


def push(queue: dict, features, labels) -> dict:
    """Writes rows over the oldest ones of a ring of `features` [n, d], `labels` [n] (-1: empty), `at`."""
    size = queue["labels"].size
    slots = (queue["at"] + jnp.arange(labels.size, dtype=jnp.int32)) % size
    return {"features": queue["features"].at[slots].set(features.astype(queue["features"].dtype)),
            "labels": queue["labels"].at[slots].set(labels.astype(jnp.int32)),
            "at": (queue["at"] + labels.size) % size}


@register("term", "feature_queue", cite="arXiv:2004.11362", needs=("features",), value="sum",
          bounds={"size": (1, 10**8), "temperature": (1e-6, 1e3)}, probe={"size": 32})
def feature_queue(*, size=1024, temperature=0.1):
    r"""Pulls every row to rows of its class, in the batch and among remembered ones.

    .. math:: -\frac{1}{|P|} \sum_{p \in P} \Big(f \cdot f_p / T - \log\sum_{k} e^{f \cdot f_k / T}\Big)

    Args:
      size: rows remembered, at least the global batch; temperature: T.
    f are unit rows of the head's projection, or of the features where it has none; the columns are all other
    rows of the global batch, with gradient, and the memory, without. State: the memory, a ring of features
    and labels that takes the batch in after its loss. The mean is over all rows of the batch; a row without
    positives adds 0.
    Reference: Khosla et al. 2020, arXiv:2004.11362, equation 2; the memory: He et al. 2020, arXiv:1911.05722.
    """
    def init(key, spec):
        if size < spec["batch"]:
            raise ConfigError(f"feature_queue.size={size} must be at least the global batch, {spec['batch']}.")
        width = spec["projection"] or spec["features"]
        return {"features": jnp.zeros((size, width), spec["dtype"]),
                "labels": jnp.full(size, -1, jnp.int32), "at": jnp.int32(0)}

    def apply(state, outputs, batch, ctx):
        mine = unit(wide(outputs["projection"] if "projection" in outputs else outputs["features"]))
        mask, label = mask_of(batch, mine.dtype), batch["label"]
        same, other = pairs(batch, ctx, mine.dtype)
        past = state["features"].astype(mine.dtype)
        columns = jnp.concatenate([ctx.across.gather(mine), past])
        filled = jnp.broadcast_to(state["labels"][None, :] >= 0, (label.size, state["labels"].size))
        known = label[:, None] == state["labels"][None, :]
        shown = jnp.concatenate([other, filled], axis=1)
        loss = contrast(dots(mine, columns) / temperature, shown & jnp.concatenate([same, known], axis=1), shown)
        labels = ctx.across.same(jnp.where(mask > 0, label, -1))
        return Sum((mask * loss).sum(), mask.sum()), push(state, ctx.across.same(mine), labels), {}

    return Term(init, apply)
