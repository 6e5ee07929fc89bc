"""The class-balanced loss with one sigmoid per class, as its authors trained it."""

from ltjax.methods.base import Method, Stage
from ltjax.methods.cifar import cifar
from ltjax.registry import register

BETA = (0.0, 1.0)


def _sigmoids(**options):
    """Last biases start at -log(C - 1) and are not decayed, else the first steps explode."""
    objective = dict(name="class_balanced", **options)
    stage = Stage(objective=objective, optim=dict(decay="(?!head/bias$).*"))
    return Method(head=dict(name="linear", bias_init="rare"), stages=(stage,), recipe=cifar())


@register("method", "class_balanced_focal", cite="arXiv:1901.05555", bounds={"beta": BETA, "gamma": (0.0, 1e2)})
def class_balanced_focal(*, beta=0.9999, gamma=1.0):
    """Sigmoid focal loss, each example weighed by one over the effective number of its class.

    The row that later papers call CB is `class_balanced_loss(loss=focal)`, a softmax form. The sum over classes is
    divided by the number of examples, as released.

    Args:
      beta: of the effective number; the authors tune it (0.9 to 0.9999) and gamma per data set.
      gamma: focal exponent (0.5, 1 or 2); beta 0.9999 with gamma 1 is their best at ratio 50 on CIFAR-10-LT, 79.4 %.
    """
    return _sigmoids(form="focal", beta=beta, gamma=gamma)


@register("method", "class_balanced_sigmoid", cite="arXiv:1901.05555", bounds={"beta": BETA})
def class_balanced_sigmoid(*, beta=0.9999):
    """Sigmoid cross-entropies of all classes, each example weighed by one over the effective number of its class.

    The sum over classes is divided by the number of examples, as released.

    Args:
      beta: of the effective number; 0 gives all examples the same weight.
    """
    return _sigmoids(form="sigmoid", beta=beta)
