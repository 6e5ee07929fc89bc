"""Focal loss on softmax probabilities."""

import jax

from ltjax.losses.stable import cross_entropy, focusing
from ltjax.registry import register


@register("loss", "focal", cite="arXiv:1708.02002", test_logits="neither", extra_columns=True,
          own_weight=True, bounds={"gamma": (0.0, 1e3)})
def focal(logits, labels, *, stats, weight, gamma=1.0, detach=False):
    r"""Turns down examples that are already right.

    .. math:: (1 - e^{-c})^\gamma c, \quad c = w_y \mathrm{CE}(z, y)

    Args:
      logits: z [*b, k]; labels: y [*b]; stats: class counts, not used.
      weight: w_y [*b] or None; it stands inside the exponent, so that the modulator sees p^w instead of p.
      gamma: exponent; 0 is the weighted cross-entropy.
      detach: no gradient through the modulator.
    The mean is over the batch, not over the weights. The published form is for sigmoids in detection; this is
    the multi-class form that the long-tail papers report.
    Reference: Lin et al. 2017, arXiv:1708.02002, equation 4; as compared in Cao et al. 2019.
    """
    c = cross_entropy(logits, labels)
    if weight is not None:
        c = weight.astype(c.dtype) * c
    modulator = focusing(c, gamma)
    return (jax.lax.stop_gradient(modulator) if detach else modulator) * c
