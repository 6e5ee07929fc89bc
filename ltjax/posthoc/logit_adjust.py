"""Post-hoc logit adjustment, with a given or a tuned strength."""

import numpy as np

from ltjax.posthoc.common import MEASURES, best_of, logits_of, measured, with_target
from ltjax.registry import register


@register("posthoc", "logit_adjust", cite="arXiv:2007.07314", needs="train_posterior",
          bounds={"tau": (0.0, 100.0), "epsilon": (0.0, 1.0)}, probe={"epsilon": 0.1})
def logit_adjust(outputs, *, stats, target_log_prior=None, tau: float = 1.0,
                 epsilon: float = 1e-12) -> np.ndarray:
    r"""Takes the training prior out of logits that were trained on the data as they are.

    .. math:: z_j - \log(\pi_j^\tau + \epsilon) \; [+ \log \pi^t_j]

    Args:
      target_log_prior: log of the test prior pi^t; None: uniform.
      tau: strength, 1 is consistent for balanced accuracy.
      epsilon: as in the authors' code; it bounds the shift of classes with a vanishing prior.
    Reference: Menon et al. 2021, section 4.
    """
    shift = np.log(stats.prior**tau + epsilon)
    return with_target(logits_of(outputs, stats) - shift[None, :], target_log_prior)


def fit_strength(outputs, labels, *, stats, largest: float = 3.0, points: int = 61,
                 measure: str = "balanced_accuracy") -> dict[str, float]:
    """The tau with the best value on a validation split, the smallest on ties."""
    score = lambda tau: measured(logit_adjust(outputs, stats=stats, tau=tau), labels, measure)
    return {"tau": best_of(np.linspace(0, largest, points), score)}


@register("posthoc", "logit_adjust_tuned", cite="arXiv:2007.07314", needs="train_posterior", fit=fit_strength,
          fit_on="val", bounds={"largest": (0.1, 100.0), "points": (2, 10001)}, choices={"measure": MEASURES},
          probe={"measure": "nll", "points": 32})
def logit_adjust_tuned(outputs, *, stats, params, target_log_prior=None, largest: float = 3.0,
                       points: int = 61, measure: str = "balanced_accuracy") -> np.ndarray:
    """Logit adjustment whose strength is chosen on the validation split.

    Args:
      params: `tau`, from the fit.
      largest, points: tau is one of so many values from 0 to the largest.
      measure: what the chosen tau maximises (the nll measures are minimised).
    Reference: Menon et al. 2021, section 4 (tau*).
    """
    return logit_adjust(outputs, stats=stats, target_log_prior=target_log_prior, tau=float(params["tau"]))
