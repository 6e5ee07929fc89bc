"""Cross-entropy compensated for the priors of training and test."""

import numpy as np

from ltjax.losses.stable import columns, cross_entropy, wide
from ltjax.priors import per_class
from ltjax.registry import register


@register("loss", "bayias", cite="arXiv:2111.03874", test_logits="balanced", extra_columns=True,
          reduces_to_ce=True,
          probe={"target_prior": lambda stats: tuple(np.linspace(1, 2, stats.classes).tolist())})
def bayias(logits, labels, *, stats, target_prior=()):
    r"""Adds the log prior of training and takes off that of the test, so that plain logits suit the test.

    .. math:: \mathrm{CE}(z + \log\pi^{\mathrm{train}} - \log\pi^{\mathrm{test}}, y)

    Args:
      logits: z [*b, k]; labels: y [*b].
      stats: class counts; a column beyond the classes counts as one with one example in training.
      target_prior: the test prior up to a factor; none is uniform, which gives `balanced_softmax`.
    Reference: Xu et al. 2021, arXiv:2111.03874.
    """
    z = wide(logits)
    target = per_class("bayias.target_prior", target_prior, stats, np.ones(stats.classes))
    log_target = np.log(target / target.sum())
    extra = -np.log(stats.counts.sum()) + np.log(stats.classes)
    return cross_entropy(z + columns(stats.log_prior - log_target, z, fill=extra), labels)
