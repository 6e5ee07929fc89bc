"""Losses of logits and labels, one file each: `ltjax.losses.ldam(logits, labels, stats=stats)`.

Every loss has the form `(logits[*b, k], labels[*b], *, stats, options) -> [*b]`: one value per example, in
float32 or wider, with no mask, weight or mean inside. A new file in this package is found by itself.
"""

from ltjax.namespace import offer as _offer

_offer(__name__, "loss")
