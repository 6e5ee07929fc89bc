"""Class-balanced loss: effective-number weights from the first step on."""

from ltjax.methods.base import Entry, Method, Stage
from ltjax.registry import register


@register("method", "class_balanced_loss", cite="arXiv:1901.05555", bounds={"beta": (0.0, 1.0)},
          choices={"normaliser": ("batch", "weight_sum")})
def class_balanced_loss(*, loss="ce", beta=0.9999, normaliser="batch"):
    """Any loss with weights (1-beta)/(1-beta^n) that sum to the number of classes.

    Args:
      loss: `ce` for the softmax form, `focal` for the form that later papers call CB.
      beta: of the effective number.
      normaliser: `batch` as in the authors' code, `weight_sum` as in PyTorch re-implementations.
    """
    entry = Entry(loss, weights=dict(name="effective_number", beta=beta), normaliser=normaliser)
    return Method(stages=(Stage(objective=(entry,)),))
