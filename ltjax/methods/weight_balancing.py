"""Weight balancing: strong weight decay, then a head held inside a ball."""

from ltjax.methods.base import Method, Stage
from ltjax.methods.crt import COSINE
from ltjax.registry import register


@register("method", "weight_balancing", cite="arXiv:2203.14197",
          bounds={"head_share": (0.0, 1.0), "beta": (0.0, 1.0), "lr": (0.0, 1e6), "weight_decay": (0.0, 1e6),
                  "head_weight_decay": (0.0, 1e6), "threshold": (0.0, 1.0)},
          choices={"every": ("epoch", "step")})
def weight_balancing(*, loss="ce", weight_decay=5e-3, head_share=0.1, head_weight_decay=0.1, lr=0.01, beta=0.9999,
                     threshold=0.1, every="epoch"):
    """Stage 1 decays every tensor strongly; stage 2 trains the head alone, re-weighted and with shortened vectors.

    Follows the authors' notebooks: the trunk stays in training mode, the class-balanced loss is a binary
    cross-entropy on softmax probabilities, and class vectors are shortened once per epoch. They train 320 epochs and
    10 for the head.

    Args:
      loss, weight_decay: of stage 1; head_weight_decay: of stage 2.
      head_share: share of the epochs for the head; lr: base rate of both stages, half a cosine to 0.
      beta: of the effective number in stage 2.
      threshold, every: of the projection, see `ltjax list project`.
    """
    features = Stage("features", 1 - head_share, objective=loss,
                     optim=dict(lr=lr, weight_decay=weight_decay, schedule=COSINE))
    head = Stage("head", head_share, objective=dict(name="cb_softmax_bce_port", beta=beta), train="head/.*",
                 project=dict(name="max_norm", threshold=threshold, every=every),
                 optim=dict(lr=lr, weight_decay=head_weight_decay, schedule=COSINE))
    return Method(stages=(features, head))
