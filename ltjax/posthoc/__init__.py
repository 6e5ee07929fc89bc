"""Rules after training: `(outputs, *, stats, target_log_prior=None, options) -> logits`, NumPy float64.

A rule with the meta `fit` is fitted first, on the split that `fit_on` names, and then takes `params`.
"""

from ltjax.namespace import offer

offer(__name__, "posthoc")
