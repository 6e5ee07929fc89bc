"""Equalization losses, softmax and sigmoid: rare classes are not pushed down by the others."""

from ltjax.methods.base import Method, Stage
from ltjax.methods.cifar import cifar
from ltjax.registry import register


@register("method", "equalization_softmax", cite="arXiv:2003.05176",
          bounds={"gamma": (0.0, 1.0), "threshold": (0.0, 1.0)})
def equalization_softmax(*, gamma=0.9, threshold=0.005):
    """Rare classes are left out of the softmax of other classes' examples, at random.

    The authors publish code for the sigmoid form only; settings and figures are those of a re-implementation
    (40.5 % on CIFAR-100-LT at ratio 100).

    Args:
      gamma: how often a rare class is left out.
      threshold: share of the data below which a class is rare: 0.005 on CIFAR-100-LT at ratio 100, 0.006 at 50,
        0.05 on CIFAR-10-LT, 0.00043 on ImageNet-LT.
    """
    objective = dict(name="equalization_softmax", gamma=gamma, threshold=threshold)
    return Method(stages=(Stage(objective=objective),), recipe=cifar())


@register("method", "equalization_sigmoid", cite="arXiv:2003.05176", bounds={"threshold": (0.0, 1.0)},
          choices={"bias_init": ("rare", "zeros")})
def equalization_sigmoid(*, threshold=0.00177, bias_init="rare"):
    """One sigmoid per class; examples of other classes do not push a rare one down.

    Published for detectors; here every row is a foreground one and the frequency of a class is its share of the rows.

    Args:
      threshold: share of the data below which a class is rare (0.00177 on LVIS v0.5, 0.0011 on v1).
      bias_init: `rare` starts every sigmoid at one over the number of classes, which keeps the first steps of many
        classes small; `zeros` at one half.
    """
    return Method(head=dict(name="linear", bias_init=bias_init), recipe=cifar(),
                  stages=(Stage(objective=dict(name="equalization_sigmoid", threshold=threshold)),))
