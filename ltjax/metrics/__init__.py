"""Metrics: sums first, ratios last; NumPy on the host, float64."""

from ltjax.metrics.auc import roc_auc
from ltjax.metrics.calibration import calibration
from ltjax.metrics.groups import group_of_class, shot_metrics
from ltjax.metrics.relative import relative_accuracy
from ltjax.metrics.report import evaluate, summarise
from ltjax.metrics.shifts import prior_weighted_accuracy, shift_prior
from ltjax.metrics.sums import ClassSums, class_sums

__all__ = ["ClassSums", "calibration", "class_sums", "evaluate", "group_of_class", "prior_weighted_accuracy",
           "relative_accuracy", "roc_auc", "shift_prior", "shot_metrics", "summarise"]
