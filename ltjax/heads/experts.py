"""Several classifiers side by side."""

from __future__ import annotations

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from ltjax.registry import ConfigError, bind, register


class ExpertsHead(nn.Module):
    """Copies of a head named `expert0`, `expert1`, ...; see `experts`."""

    head: nn.Module
    experts: int

    @nn.compact
    def __call__(self, features: Array, *, train: bool = False) -> dict[str, Array]:
        if features.ndim == 3 and len(features) != self.experts:
            raise ValueError(f"head.experts={self.experts}, but the trunk has {len(features)} branches.")
        each = [features] * self.experts if features.ndim == 2 else list(features)
        outputs = [self.head.copy(parent=self, name=f"expert{i}")(h, train=train) for i, h in enumerate(each)]
        out = {key: jnp.stack([o[key] for o in outputs]) for key in outputs[0]}
        expert_logits = out.pop("logits")
        return {**out, "expert_logits": expert_logits, "logits": expert_logits.mean(0)}


@register("head", "experts", cite="arXiv:2010.01809", bounds={"experts": (1, 100)})
def experts(*, classes, head={"name": "linear"}, experts=3) -> nn.Module:  # noqa: B006 (only read)
    r"""Several heads on one trunk, or one on each branch of a split trunk.

    .. math:: z = \frac{1}{E} \sum_e z_e

    Outputs are stacked: `expert_logits` [e, b, c], `classifier` [e, c, d], `classifier_bias` [e, c]; `logits`
    is the mean of the experts'. Parameters under `expert0`, `expert1`, ...

    Args:
      classes: number of classes c.
      head: the head of each expert.
      experts: how many, E. Features [b, d] are shared by all, of [e, b, d] each gets its own.

    Reference: Wang et al. 2021, equation 4.
    """
    return ExpertsHead(classifier(head, classes), experts)


def classifier(spec, classes: int) -> nn.Module:
    """The head that `spec` names, for use inside another head; refuses those that hold heads themselves."""
    part, options = bind("head", spec, "head.head")
    if "head" in part.options:
        raise ConfigError(f"head.head.name={part.name!r} holds a head itself and cannot stand in another: "
                          "give a classifier such as 'linear' or 'cosine'.")
    return part.fn(classes=classes, **options)
