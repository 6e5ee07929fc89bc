"""Golden keys of the metrics and of prior-shift estimation: host arithmetic, float64 for every case."""

import jax
import numpy as np
from scipy.special import softmax

from ltjax import metrics
from ltjax.metrics.proper import brier_rows, nll_rows
from ltjax.posthoc.prior_shift import estimate, fit_source, prior_shift
from ltjax.types import ClassStats


def ints(case, name):
    return np.asarray(case.inputs[name], np.int64)


def shot_metrics(case):
    options = {k: case.params[k] for k in ("convention", "many", "few", "floor")}
    return metrics.shot_metrics(ints(case, "predictions"), ints(case, "labels"),
                                counts=case.inputs["train_counts"], **options)


def calibration(case):
    z, y = case.array("logits"), case.ints("labels")
    gradient = lambda rows: jax.grad(lambda logits: rows(logits, y).mean())(z)
    found = metrics.calibration(case.numbers("logits"), ints(case, "labels"),
                                counts=case.inputs["train_counts"], num_bins=case.params["num_bins"])
    return {**found, "grad_logits_nll": gradient(nll_rows), "grad_logits_brier": gradient(brier_rows)}


def roc_auc_multiclass(case):
    return metrics.roc_auc(case.numbers("probs"), ints(case, "labels"))


def prior_weighted_accuracy(case):
    return metrics.prior_weighted_accuracy(ints(case, "predictions"), ints(case, "labels"),
                                           counts=case.inputs["train_counts"],
                                           target_prior=case.numbers("target_prior"))


def relative_accuracy(case):
    return metrics.relative_accuracy(**case.inputs)


def prior_shift_key(case):
    outputs = lambda name: {"logits": np.log(np.maximum(case.numbers(name), 1e-300))}
    stats = ClassStats(np.ones(np.shape(case.inputs["val_probs"])[1]))
    rule = {"estimator": case.params["method"], "tolerance": case.params["tolerance"],
            "most_rounds": case.params["max_iterations"]}
    fitted = fit_source(outputs("val_probs"), ints(case, "val_labels"), stats=stats)
    found = estimate(case.numbers("test_probs"), fitted, **rule)
    corrected = prior_shift(outputs("test_probs"), stats=stats, params=fitted, **rule, floor=1e-300)
    return {**found._asdict(), "posterior": softmax(corrected, axis=1), "predicted": corrected.argmax(1)}


ADAPTERS = {
    "evaluation/shot_metrics": shot_metrics,
    "evaluation/calibration": calibration,
    "evaluation/roc_auc_multiclass": roc_auc_multiclass,
    "evaluation/prior_weighted_accuracy": prior_weighted_accuracy,
    "evaluation/relative_accuracy": relative_accuracy,
    "evaluation/prior_shift": prior_shift_key,
}
