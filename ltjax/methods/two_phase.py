"""Two-phase training: balanced by sampling first, then the classifier alone on the data as they are."""

from ltjax.methods.base import Method, Stage
from ltjax.registry import register


@register("method", "two_phase", cite="arXiv:1710.05381", bounds={"head_share": (0.0, 1.0), "lr": (0.0, 1e6)},
          choices={"batchnorm": ("batch", "running")})
def two_phase(*, loss="ce", sampler="oversample", head_share=0.1, lr=0.01, batchnorm="running"):
    """Phase 1 trains everything on balanced data, phase 2 the last layer, from where it stands, on natural batches.

    A study of the effect, not a proposal: it measures the area under the curve on MNIST, CIFAR-10 and ImageNet, and
    oversampling alone does better. Length and rate of phase 2 are not stated there; the defaults are ours.

    Args:
      loss: of both phases.
      sampler: of phase 1: `oversample`, `undersample` (to the smallest class), or dict(name="undersample",
        threshold=N) to cut larger classes to N rows.
      head_share: share of the epochs for phase 2; lr: its base rate, half a cosine.
      batchnorm: `running` keeps the frozen trunk's statistics, `batch` lets them move.
    """
    balanced = Stage("balanced", 1 - head_share, objective=loss, sampler=sampler)
    natural = Stage("natural", head_share, objective=loss, train="head/.*", batchnorm=batchnorm,
                    optim=dict(lr=lr, schedule=dict(name="cosine")))
    return Method(stages=(balanced, natural))
