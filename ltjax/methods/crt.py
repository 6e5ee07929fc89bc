"""Classifier re-training: features as usual, then a fresh head on class-balanced batches."""

from ltjax.methods.base import Method, Stage
from ltjax.registry import register

COSINE = dict(name="cosine", ahead=1)
"""The decoupling code steps its scheduler before each epoch."""


@register("method", "crt", cite="arXiv:1910.09217", bounds={"head_share": (0.0, 1.0), "lr": (0.0, 1e6)},
          choices={"batchnorm": ("batch", "running")})
def crt(*, loss="ce", head_share=0.1, lr=0.1, sampler="class_aware", batchnorm="batch"):
    """Stage 1 trains everything on natural batches; stage 2 re-trains a redrawn head, everything else fixed.

    Args:
      loss: of stage 1; stage 2 is cross-entropy.
      head_share: share of the epochs for the head.
      lr: base rate of stage 2, half a cosine to 0.
      sampler: of stage 2; the authors' is a cycle with 4 draws per class visit.
      batchnorm: `batch` as released (the frozen trunk keeps normalising by and moving its statistics), `running`
        for a trunk in evaluation mode.
    """
    features = Stage("features", 1 - head_share, objective=loss)
    head = Stage("head", head_share, sampler=sampler, train="head/.*", reset="head/.*", batchnorm=batchnorm,
                 optim=dict(lr=lr, schedule=COSINE))
    return Method(stages=(features, head))
