"""Ordinary training, another classifier at test time: tau-normalisation and nearest class mean."""

from ltjax.methods.base import Method
from ltjax.registry import register


@register("method", "tau_norm", cite="arXiv:1910.09217", bounds={"tau": (0.0, 2.0)})
def tau_norm(*, tau=0.7):
    """Class vectors divided by their norm to the power tau, bias dropped; the paper sweeps tau on validation data."""
    return Method(posthoc=(dict(name="tau_norm", tau=tau),))


@register("method", "tau_norm_tuned", cite="arXiv:1910.09217",
          bounds={"largest": (0.1, 10.0), "points": (2, 10001)}, probe={"measure": "balanced_nll"})
def tau_norm_tuned(*, largest=2.0, points=21, measure="balanced_accuracy"):
    """Tau-normalisation with the tau that is best on the validation split; the defaults are the authors' sweep.

    Args:
      largest, points: tau is one of so many values from 0 to the largest.
      measure: what it maximises, see `ltjax list posthoc tau_norm_tuned`.
    """
    return Method(posthoc=(dict(name="tau_norm_tuned", largest=largest, points=points, measure=measure),))


@register("method", "ncm", cite="arXiv:1910.09217")
def ncm():
    """The nearest class mean of centred, normalised training features."""
    return Method(posthoc=("ncm",))
