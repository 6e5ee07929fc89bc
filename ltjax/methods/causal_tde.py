"""De-confounded training with the total direct effect at test time."""

from ltjax.methods.base import Method, Stage
from ltjax.methods.cifar import cifar
from ltjax.methods.lade import THIRD
from ltjax.registry import register


@register("method", "causal_tde", cite="arXiv:2009.12991",
          bounds={"heads": (1, 1024), "scale": (0.0, 1e4), "alpha": (0.0, 100.0), "gamma": (0.0, 100.0)})
def causal_tde(*, heads=2, scale=16.0, alpha=1.5, gamma=0.03125):
    """A multi-head cosine classifier; afterwards each feature loses its part along the mean training feature.

    The mean is that of the finished network's training features; the authors keep a running sum along training,
    whose direction lags behind. Their CIFAR network joins two last blocks (128 features); this takes any. The
    result's `raw` metrics are those without the effect removed (their De-confound row).

    Args:
      heads: parts of the feature, must divide its width; scale: of the cosines.
      alpha: how much is removed: 1.5 on CIFAR-100-LT, 1 on CIFAR-10-LT, 3 on ImageNet-LT and Places-LT.
      gamma: added to the length of the weights.
    """
    shared = dict(heads=heads, scale=scale, gamma=gamma)
    stage = Stage(optim=dict(lr=0.2, weight_decay=5e-4, schedule=THIRD))
    return Method(head=dict(name="causal", **shared), stages=(stage,),
                  posthoc=(dict(name="causal_tde", alpha=alpha, **shared),), recipe=cifar(batch=256))
