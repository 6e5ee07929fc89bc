"""Logits times the factor that the loss multiplied them with."""

from ltjax.posthoc.common import keeps_prior, logits_of
from ltjax.registry import register


@register("posthoc", "scale", bounds={"factor": (1e-6, 1e6)})
def scale(outputs, *, stats, target_log_prior=None, factor=1.0):
    r"""Multiplies the logits by a fixed factor; no prediction changes, probabilities do.

    .. math:: s z

    Losses on cosines (LDAM, GCL) scale inside the loss, so a network that they train says `softmax(s z)`; without
    the factor its likelihood and calibration would be those of unscaled cosines.

    Args:
      factor: s.
    Reference: Cao et al. 2019, arXiv:1906.07413, section 4.
    """
    keeps_prior("scale", target_log_prior)
    return factor * logits_of(outputs, stats)
