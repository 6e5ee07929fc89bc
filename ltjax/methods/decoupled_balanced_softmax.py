"""Decoupled balanced softmax: features by cross-entropy, a fresh classifier by balanced softmax."""

from ltjax.methods.base import Method, Stage
from ltjax.methods.cifar import cifar
from ltjax.methods.crt import COSINE
from ltjax.registry import register

PEAK = dict(name="cosine", warmup=0.06, start=0.5, ramp="peak", ahead=1)
"""From half the rate to all of it over 800 of 13,000 iterations, then half a cosine."""


@register("method", "decoupled_balanced_softmax", cite="arXiv:2007.10740",
          bounds={"head_share": (0.0, 1.0), "lr": (0.0, 1e6)}, choices={"batchnorm": ("batch", "running")})
def decoupled_balanced_softmax(*, loss="ce", sampler="shuffle", head_share=0.13, lr=0.1, batchnorm="batch"):
    """Stage 1 as usual; stage 2 re-trains a redrawn head with balanced softmax, everything else fixed.

    The authors' decoupled run without their meta sampler, which is `balms`. Its batches are natural ones: on
    class-balanced batches the loss corrects for the prior a second time and rare classes win too often, which is what
    the meta sampler mends.
    They augment with AutoAugment and Cutout; the recipe has Cutout alone, and its epochs are their 15,000 iterations
    on CIFAR-100-LT at ratio 100.

    Args:
      loss: of stage 1.
      sampler: of stage 2; `class_balanced` shows the over-correction.
      head_share: share of the epochs for the head (2,000 iterations after 13,000).
      lr: base rate of stage 2, half a cosine to 0.
      batchnorm: `batch` as released (the frozen trunk goes on moving its statistics), `running` to keep them.
    """
    features = Stage("features", 1 - head_share, objective=loss, optim=dict(lr=0.1, weight_decay=5e-4, schedule=PEAK))
    head = Stage("head", head_share, objective="balanced_softmax", sampler=sampler, train="head/.*", reset="head/.*",
                 batchnorm=batchnorm, optim=dict(lr=lr, weight_decay=5e-4, schedule=COSINE))
    recipe = cifar(epochs=714, batch=512, augment=("crop", "flip", "cutout"))
    return Method(stages=(features, head), recipe=recipe)
