"""Balanced Meta-Softmax: balanced softmax with a learned sampler for the classifier."""

from ltjax.methods.base import Method, Stage
from ltjax.registry import register


@register("method", "balms", cite="arXiv:2007.10740", bounds={"head_share": (0.0, 1.0), "meta_lr": (0.0, 10.0)})
def balms(*, head_share=0.1, lr=0.1, meta_lr=0.01, init_power=0.0):
    """Balanced softmax throughout; in stage 2 the head alone, on batches whose class rates are learned.

    The trunk's statistics keep moving in stage 2, once per step, as in the authors' stage 2. Their CIFAR numbers
    come from AutoAugment, batch 512 and 13,000 iterations, then 2,000 for the head.

    Args:
      head_share: share of the epochs for the head; lr: its base rate, half a cosine to 0.
      meta_lr: of Adam on the rates; init_power: of the inverse prior with which they start (0: all 1/2).
    """
    features = Stage("features", 1 - head_share, objective="balanced_softmax")
    head = Stage("head", head_share, objective="balanced_softmax", other="class_aware", train="head/.*",
                 learner=dict(name="meta_sampler", lr=meta_lr, init_power=init_power),
                 optim=dict(lr=lr, schedule="cosine"))
    return Method(stages=(features, head))
