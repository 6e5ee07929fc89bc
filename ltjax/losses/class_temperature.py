"""A given temperature per class."""

import numpy as np

from ltjax.losses.stable import columns, cross_entropy, wide
from ltjax.priors import per_class
from ltjax.registry import register


def tempered(logits, *, stats, temperatures=()):
    """z_j / T_j; columns beyond the classes keep their logit."""
    z = wide(logits)
    given = per_class("class_temperature.temperatures", temperatures, stats, np.ones(stats.classes))
    return z * columns(1 / given, z, fill=1.0)


@register("loss", "class_temperature", test_logits="neither", extra_columns=True, reduces_to_ce=True,
          probe={"temperatures": lambda stats: tuple(np.linspace(0.5, 2, stats.classes).tolist())})
def class_temperature(logits, labels, *, stats, temperatures=()):
    r"""Cross-entropy of logits divided by a temperature per class.

    .. math:: \mathrm{CE}(z_j / T_j, y)

    Args:
      logits: z [*b, k]; labels: y [*b]; stats: class counts, only their number is used.
      temperatures: T, one positive number per class; none gives ones. `cdt` derives them from counts.
    Reference: class-conditional temperature scaling; Ye et al. 2020, arXiv:2001.01385, is a special case.
    """
    return cross_entropy(tempered(logits, stats=stats, temperatures=temperatures), labels)
