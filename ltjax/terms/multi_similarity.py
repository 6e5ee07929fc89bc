"""Multi-similarity loss on features."""

import jax
import jax.numpy as jnp

from ltjax.contrast import dots, unit
from ltjax.losses.stable import wide
from ltjax.registry import register
from ltjax.terms.base import Term, mask_of, no_state, pairs
from ltjax.types import Sum


def anchors(scores, same, other, *, scale_pos, scale_neg, threshold, margin, epsilon):
    """The loss [b] of every anchor against its columns [b, n]; 0 where either kept set is empty."""
    fixed = jax.lax.stop_gradient(scores)
    positive, negative = other & same & (fixed < 1 - epsilon), other & ~same
    hardest = jnp.where(positive, fixed, jnp.inf).min(-1, keepdims=True)
    nearest = jnp.where(negative, fixed, -jnp.inf).max(-1, keepdims=True)
    positive, negative = positive & (fixed - margin < nearest), negative & (fixed + margin > hardest)

    def side(kept, scale):
        pushed = jnp.where(kept, scale * (scores - threshold), jnp.finfo(scores.dtype).min)
        return jax.nn.softplus(jax.nn.logsumexp(pushed, axis=-1)) / abs(scale)

    kept = positive.any(-1) & negative.any(-1)
    return jnp.where(kept, side(positive, -scale_pos) + side(negative, scale_neg), 0)


@register("term", "multi_similarity", cite="arXiv:1904.06627", needs=("features",), value="sum",
          bounds={"scale_pos": (1e-6, 1e4), "scale_neg": (1e-6, 1e4), "epsilon": (0.0, 1.0)},
          probe={"epsilon": 0.6, "margin": -0.5})
def multi_similarity(*, scale_pos=2.0, scale_neg=40.0, threshold=0.5, margin=0.1, epsilon=1e-5):
    r"""Pulls the hard positives and pushes the hard negatives of every row, over the global batch.

    .. math:: \frac{1}{\alpha}\log\Big(1 + \sum_{p} e^{-\alpha (S_p - \lambda)}\Big)
        + \frac{1}{\beta}\log\Big(1 + \sum_{n} e^{\beta (S_n - \lambda)}\Big)

    Args:
      scale_pos: alpha; scale_neg: beta, 40 in the authors' code and 50 in their text; threshold: lambda.
      margin: kept are negatives above the lowest positive - margin, positives below the highest negative
        + margin.
      epsilon: positives of a cosine above 1 - epsilon are copies and do not count.
    S are cosines of the features. A row without kept positives or negatives is skipped (the authors' code
    fails there); the mean is over all rows of the batch.
    Reference: Wang et al. 2019, arXiv:1904.06627, equation 15.
    """
    def apply(state, outputs, batch, ctx):
        mine = unit(wide(outputs["features"]))
        same, other = pairs(batch, ctx, mine.dtype)
        mask = mask_of(batch, mine.dtype)
        loss = anchors(dots(mine, ctx.across.gather(mine)), same, other, scale_pos=scale_pos,
                       scale_neg=scale_neg, threshold=threshold, margin=margin, epsilon=epsilon)
        return Sum((mask * loss).sum(), mask.sum()), state, {}

    return Term(no_state, apply)
