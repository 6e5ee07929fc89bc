"""Objectives that need more than logits and labels, one file each: `ltjax.terms.seesaw()` makes one.

Every one returns a `Term`: `init(key, spec) -> state`, `apply(state, outputs, batch, ctx) -> (value, state,
metrics)` and, where it looks at the whole training split between epochs, `refresh(state, passes, ctx)`.
A new file in this package is found by itself.
"""

from ltjax.namespace import offer as _offer
from ltjax.terms.base import Term

__all__ = ["Term"]

_offer(__name__, "term")
