"""Ordinary training, another classifier at test time: tau-normalisation and nearest class mean."""

from ltjax.methods.base import Method
from ltjax.registry import register


@register("method", "tau_norm", cite="arXiv:1910.09217", bounds={"tau": (0.0, 2.0)})
def tau_norm(*, tau=0.7):
    """Class vectors divided by their norm to the power tau, bias dropped; the paper sweeps tau on validation data."""
    return Method(posthoc=(dict(name="tau_norm", tau=tau),))


@register("method", "ncm", cite="arXiv:1910.09217")
def ncm():
    """The nearest class mean of centred, normalised training features."""
    return Method(posthoc=("ncm",))
