"""Dynamic loss-based re-weighting."""

from ltjax.methods.base import Method, Stage
from ltjax.registry import register


@register("method", "dynamic_loss_reweight", cite="arXiv:2502.06733",
          bounds={"temperature": (1e-6, 1e6), "delta": (1e-6, 1e6), "after": (0.0, 1.0)},
          choices={"strategy": ("linupper", "quadratic", "extremes", "upper")},
          probe={"loss": "balanced_softmax"})
def dynamic_loss_reweight(*, loss="ce", strategy="linupper", temperature=1.0, delta=1.0, after=0.06):
    """Each example of a batch is weighed by where its loss lies between the lowest and the highest.

    Made for the pre-training of language models; no figures exist for classification. Weights sum to 1 over the
    global batch.

    Args:
      loss: name of the loss; its own options keep their defaults.
      strategy: `linupper` spares easy examples, `quadratic` both ends, `extremes` the middle, `upper` as the first
        without a cap.
      temperature: of the softmax over the batch (1, or 0.4 for the authors' larger models); delta: range of the score.
      after: share of the run with the plain mean first (the authors' 1000 steps; 6 % of 200 epochs of CIFAR-100-LT).
    """
    objective = dict(name="dynamic_loss_reweight", loss=loss, strategy=strategy, temperature=temperature, delta=delta,
                     after=after)
    return Method(stages=(Stage(objective=objective),))
