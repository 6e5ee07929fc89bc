"""Remix: mixup whose labels favour the rarer class."""

from ltjax.methods.base import Entry, Method, Stage
from ltjax.registry import register


@register("method", "remix", cite="arXiv:2007.03943",
          bounds={"alpha": (1e-3, 1e3), "kappa": (1.0, 1e9), "tau": (0.0, 1.0), "after": (0.0, 1.0),
                  "beta": (0.0, 1.0)},
          probe={"beta": {"after": 0.8, "beta": 0.99}})
def remix(*, loss="ce", alpha=1.0, kappa=3.0, tau=0.5, after=1.0, beta=0.9999, head="linear"):
    """Blended pairs; a pair of very unequal classes is labelled with the rarer one.

    Weighted rows are divided by their number, not by their weights, as in the published re-implementation.

    Args:
      loss: of both labels; alpha: of the ratio; kappa, tau: see `ltjax list mixer`.
      after: share of the run without class weights (1 is none at all, 0.8 is Remix-DRW).
      beta: of the effective number; head: the classifier.
    """
    weights = dict(name="effective_number", beta=beta, after=after) if after < 1 else None
    mixer = dict(name="remix", alpha=alpha, kappa=kappa, tau=tau)
    return Method(head=head, stages=(Stage(objective=(Entry(loss, weights=weights),), mixer=mixer),))
