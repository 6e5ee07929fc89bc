"""Label-aware smoothing in one stage."""

from ltjax.methods.base import Method, Stage
from ltjax.methods.cifar import cifar
from ltjax.registry import register


@register("method", "label_aware_smoothing", cite="arXiv:2104.00466",
          bounds={"smooth_head": (0.0, 1.0), "smooth_tail": (0.0, 1.0), "power": (0.0, 1e2)},
          choices={"shape": ("concave", "linear", "convex", "exp"), "spread": ("all", "wrong")})
def label_aware_smoothing(*, smooth_head=0.4, smooth_tail=0.1, shape="concave", power=2.0, spread="all",
                          head="linear"):
    """Cross-entropy whose labels are smoothed more the more frequent the class, from the first step on.

    Its authors use it to re-train the classifier in a second stage, which is `mislas`; alone it is a row of other
    papers' tables.

    Args:
      smooth_head, smooth_tail: of the largest and the smallest class (0.4 and 0.1 on CIFAR-100-LT at ratio 100, 0.3
        and 0 at 50; 0.3 and 0 on CIFAR-10-LT at 100).
      shape, power, spread: see `ltjax list loss label_aware_smoothing`.
      head: the classifier.
    """
    objective = dict(name="label_aware_smoothing", smooth_head=smooth_head, smooth_tail=smooth_tail, shape=shape,
                     power=power, spread=spread)
    return Method(head=head, stages=(Stage(objective=objective),), recipe=cifar())
