"""Class weights from class counts, one file each: `ltjax.weights.effective_number(stats=stats)`.

Every one has the form `(*, stats, options) -> float64[C]` on the host and says how it is normalised.
A new file in this package is found by itself.
"""

from ltjax.namespace import offer as _offer

_offer(__name__, "weights")
