"""Nearest class mean of the training features."""

import numpy as np

from ltjax.posthoc.common import read, unit, with_target
from ltjax.registry import register

FEATURES = ("cl2n", "l2n", "un")


def treated(features: np.ndarray, mean: np.ndarray, feat_type: str) -> np.ndarray:
    """Features as they are (un), of unit length (l2n), or centred by the training mean first (cl2n)."""
    if feat_type == "un":
        return features
    return unit(features - mean[None, :] if feat_type == "cl2n" else features)


def fit_means(outputs, labels, *, stats, feat_type: str = "cl2n",
              dist_type: str = "l2") -> dict[str, np.ndarray]:
    """Mean of the raw features, and mean of the treated features of each class (not normalised again).

    A class without a row keeps a mean of zeros and is marked in `present`.
    """
    features, labels = read(outputs, "features", "ncm"), np.asarray(labels)
    mean = features.mean(0)
    count = np.bincount(labels, minlength=stats.classes)
    sums = np.zeros((stats.classes, features.shape[1]))
    np.add.at(sums, labels, treated(features, mean, feat_type))
    return {"mean": mean, "centroids": sums / np.maximum(count, 1)[:, None], "present": count > 0}


@register("posthoc", "ncm", cite="arXiv:1910.09217", reads=("features",), fit=fit_means, fit_on="train",
          choices={"feat_type": FEATURES, "dist_type": ("l2", "cos")})
def ncm(outputs, *, stats, params, target_log_prior=None, feat_type: str = "cl2n",
        dist_type: str = "l2") -> np.ndarray:
    r"""Scores by the distance to the mean training feature of each class; the classifier is not used.

    .. math:: -\|x - m_j\|^2 \quad\text{or}\quad x \cdot m_j / D

    The authors number the classes that they find; here a class without training rows keeps its place and
    scores -inf.

    Args:
      params: `mean`, `centroids` and `present`, from the fit.
      feat_type: features and means as they are (`un`), of unit length (`l2n`), centred first (`cl2n`).
      dist_type: `l2` or `cos`, which is the dot product over the width D, as released.
    Reference: Kang et al. 2020, section 4, `KNNClassifier.py` of the released code.
    """
    x, m = treated(read(outputs, "features", "ncm"), params["mean"], feat_type), params["centroids"]
    if dist_type == "l2":
        scores = -((x**2).sum(1)[:, None] + (m**2).sum(1)[None, :] - 2 * x @ m.T)
    else:
        scores = x @ m.T / x.shape[1]
    return with_target(np.where(np.asarray(params["present"])[None, :], scores, -np.inf), target_log_prior)
