"""The test prior estimated from unlabelled test predictions, and put in place of the old one."""

from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from ltjax.posthoc.common import keeps_prior, logits_of
from ltjax.registry import register

ESTIMATORS = ("em", "em_label_prior", "bbse_soft", "bbse_hard")


class Estimate(NamedTuple):
    """Class priors of source and target, their ratio, and the rounds that EM took."""

    source_prior: np.ndarray
    weights: np.ndarray
    target_prior: np.ndarray
    iterations: int | None


def fit_source(outputs, labels, *, stats, estimator: str = "em", tolerance: float = 1e-6,
               most_rounds: int = 100, floor: float = 1e-12) -> dict[str, np.ndarray]:
    """Mean probabilities, class shares, and joint tables of prediction and label of a validation split."""
    p, labels = softmax(logits_of(outputs, stats), axis=1), np.asarray(labels)
    true = labels[:, None] == np.arange(stats.classes)[None, :]
    return {"probability": p.mean(0), "share": true.mean(0), "soft": p.T @ true / len(labels),
            "hard": _decided(p).T @ true / len(labels)}


def estimate(probs: np.ndarray, params, *, estimator: str = "em", tolerance: float = 1e-6,
             most_rounds: int = 100) -> Estimate:
    """The prior of some rows from their probabilities.

    Args:
      probs: probabilities of the test rows, float64 [n, C]; params: from `fit_source`.
    """
    rounds = None
    if estimator.startswith("bbse"):
        source = params["share"]
        joint = params[estimator.removeprefix("bbse_")]
        predicted = (_decided(probs) if estimator == "bbse_hard" else probs).mean(0)
        weights = np.maximum(_solve(joint, predicted, source), 0)
    else:
        source = params["probability"] if estimator == "em" else params["share"]
        if (source <= 0).any():
            raise ValueError(_absent(source))
        weights, rounds = _em(probs, source, tolerance, most_rounds)
    target = weights * source
    return Estimate(source, weights, target / target.sum(), rounds)


@register("posthoc", "prior_shift", cite="arXiv:1802.03916, arXiv:1901.06852", needs="train_posterior",
          fit=fit_source, fit_on="val", transductive=True, choices={"estimator": ESTIMATORS},
          bounds={"tolerance": (0.0, 1.0), "most_rounds": (1, 10**6), "floor": (1e-300, 1.0)},
          probe={"tolerance": 0.01, "floor": 0.9})
def prior_shift(outputs, *, stats, params, target_log_prior=None, estimator: str = "em",
                tolerance: float = 1e-6, most_rounds: int = 100, floor: float = 1e-12) -> np.ndarray:
    r"""Estimates the class shares of the test set from all its predictions and corrects each of them.

    .. math:: z_j + \log w_j, \quad w_j = \pi^t_j / \pi_j

    It looks at the whole unlabelled test set at once, and needs calibrated probabilities and a validation
    split with the prior of the training set.

    Args:
      params: of the validation split, from the fit.
      estimator: `em` (maximum likelihood; source prior is the mean validation probability), `em_label_prior`
        (source prior is the class shares), `bbse_soft` or `bbse_hard` (inverts the confusion matrix).
      tolerance, most_rounds: EM ends when no share moves by more than this, or after so many rounds.
      floor: weights below it are raised to it.
    Reference: Saerens et al. 2002; Lipton et al. 2018 (BBSE); Alexandari et al. 2020.
    """
    keeps_prior("prior_shift", target_log_prior)
    z = logits_of(outputs, stats)
    found = estimate(softmax(z, axis=1), params, estimator=estimator, tolerance=tolerance,
                     most_rounds=most_rounds)
    return z + np.log(np.maximum(found.weights, floor))[None, :]


def _decided(p: np.ndarray) -> np.ndarray:
    return (p.argmax(1)[:, None] == np.arange(p.shape[1])[None, :]).astype(np.float64)


def _absent(source: np.ndarray) -> str:
    ids = np.flatnonzero(source <= 0)
    return (f"{ids.size} classes have no validation example (first: {ids[:5].tolist()}): the test prior "
            "cannot be estimated; enlarge the validation split.")


def _solve(joint: np.ndarray, predicted: np.ndarray, source: np.ndarray) -> np.ndarray:
    if (source <= 0).any():
        raise ValueError(_absent(source))
    if np.linalg.matrix_rank(joint) < len(joint):
        never = np.flatnonzero(joint.sum(1) == 0)
        raise ValueError("the confusion matrix of the validation split is singular (classes never predicted: "
                         f"{never[:5].tolist()}); use estimator='em'.")
    return np.linalg.solve(joint, predicted)


def _em(p: np.ndarray, source: np.ndarray, tolerance: float, most: int) -> tuple[np.ndarray, int]:
    q, moved, done = source, np.inf, 0
    while moved > tolerance and done < most:
        r = p * (q / source)[None, :]
        new = (r / r.sum(1, keepdims=True)).mean(0)
        moved, q, done = np.abs(new - q).max(), new, done + 1
    return q / source, done
