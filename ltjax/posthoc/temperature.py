"""Temperatures: one for all logits, fitted, or one per class, given."""

import numpy as np
from scipy.optimize import minimize_scalar

from ltjax.posthoc.common import keeps_prior, logits_of, measured
from ltjax.priors import per_class
from ltjax.registry import register


def fit_temperature(outputs, labels, *, stats, balanced: bool = False) -> dict[str, float]:
    """The temperature with the smallest negative log likelihood on a validation split, within 1e-3 to 1e3."""
    z, measure = logits_of(outputs, stats), "balanced_nll" if balanced else "nll"
    found = minimize_scalar(lambda log_t: -measured(z / np.exp(log_t), labels, measure),
                            bounds=(-np.log(1e3), np.log(1e3)), method="bounded", options={"xatol": 1e-8})
    return {"temperature": float(np.exp(found.x))}


@register("posthoc", "temperature", cite="arXiv:1706.04599", fit=fit_temperature, fit_on="val")
def temperature(outputs, *, stats, params, target_log_prior=None, balanced: bool = False) -> np.ndarray:
    r"""Divides the logits by one temperature fitted on the validation split; no prediction changes.

    .. math:: z / T

    Args:
      params: `temperature`, from the fit.
      balanced: fit the mean over classes of the class means instead of the mean over rows.
    Reference: Guo et al. 2017, section 4.
    """
    keeps_prior("temperature", target_log_prior)
    return logits_of(outputs, stats) / float(params["temperature"])


@register("posthoc", "class_temperature",
          probe={"temperatures": lambda stats: tuple((stats.counts / stats.counts.max()) ** 0.25)})
def class_temperature(outputs, *, stats, target_log_prior=None, temperatures: tuple = ()) -> np.ndarray:
    r"""Divides the logit of each class by its own temperature.

    .. math:: z_j / T_j

    Args:
      temperatures: T, one positive number per class; none leaves the logits as they are.
    Reference: the training form is CDT, Ye et al. 2020, arXiv:2001.01385.
    """
    keeps_prior("class_temperature", target_log_prior)
    t = per_class("class_temperature.temperatures", temperatures, stats, np.ones(stats.classes))
    return logits_of(outputs, stats) / t[None, :]
