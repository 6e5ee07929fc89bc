"""Post-compensated softmax: ordinary training, the training prior out of the logits afterwards."""

from ltjax.methods.base import Method, Stage
from ltjax.methods.cifar import cifar
from ltjax.methods.lade import THIRD
from ltjax.registry import register


@register("method", "pc_softmax", cite="arXiv:2012.00321")
def pc_softmax():
    """Cross-entropy training under LADE's recipe; the log training prior is subtracted at test time.

    With the recipe of the config it decides as `logit_adjust`; for a shifted test set evaluate it with
    `--shifts`, or with a post-hoc rule that takes a target prior.
    """
    stage = Stage(optim=dict(lr=0.2, weight_decay=5e-4, schedule=THIRD))
    return Method(stages=(stage,), posthoc=("pc_softmax",), recipe=cifar(batch=256))
