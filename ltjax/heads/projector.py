"""A classifier with a projection for contrastive terms beside it."""

from __future__ import annotations

from flax import linen as nn
from jax import Array

from ltjax.heads.experts import classifier
from ltjax.layers import BatchNorm, Dense, unit, wide
from ltjax.registry import register


class Projection(nn.Module):
    """Dense, (BatchNorm,) rectifier, dense, rows scaled to norm 1.

    Attributes:
      width: of the projection; hidden: of the layer before, None for the input's.
      norm: whether there is BatchNorm; norm_groups, axis: its own.
    """

    width: int
    hidden: int | None = None
    norm: bool = False
    norm_groups: int = 1
    axis: str | None = "data"

    @nn.compact
    def __call__(self, x: Array, *, train: bool = False, mask: Array | None = None) -> Array:
        h = Dense(self.hidden or x.shape[-1], name="dense1")(x)
        if self.norm:
            h = BatchNorm(self.norm_groups, self.axis, name="norm")(h, train=train, mask=mask)
        return unit(Dense(self.width, name="dense2")(nn.relu(h)))


class ProjectorHead(nn.Module):
    """A classifier that shares its scope with a projection; see `projector`."""

    head: nn.Module
    width: int
    hidden: int | None
    norm: bool
    norm_groups: int
    prototypes: bool

    def setup(self):
        nn.share_scope(self, self.head)

    @nn.compact
    def __call__(
        self, features: Array, *, train: bool = False, mask: Array | None = None
    ) -> dict[str, Array]:
        h = features.astype(wide(features.dtype))
        out = self.head(h, train=train)
        project = Projection(self.width, self.hidden, self.norm, self.norm_groups, name="projection")
        out["projection"] = project(h, train=train, mask=mask)
        if self.prototypes:
            kernel: Array = self.get_variable("params", "kernel").astype(h.dtype)
            rows = kernel.T[:len(out["classifier"])]
            embed = Projection(self.width, self.hidden, self.norm, axis=None, name="prototypes")
            out["prototypes"] = embed(rows, train=train)
        return out


@register("head", "projector", cite="arXiv:2004.11362",
          bounds={"width": (1, 1e6), "hidden": (1, 1e6), "norm_groups": (1, 1e6)})
def projector(
    *, classes, head={"name": "linear"}, width=128, hidden=None, norm=False, norm_groups=1,  # noqa: B006
    prototypes=False,
) -> nn.Module:
    r"""A classifier and, beside it, a projection of the features on the unit sphere for contrastive terms.

    .. math:: p = u / \|u\|,  u = W_2 \max(W_1 h + b_1, 0) + b_2

    The classifier's parameters stand where they stand without projection (`head/kernel`), so that a later
    stage with the classifier alone keeps them; the projection's stand under `projection`.

    Args:
      classes: number of classes.
      head: the classifier.
      width: of the projection p.
      hidden: width of the layer before, the features' unless given.
      norm: whether BatchNorm stands before the rectifier.
      norm_groups: parts of the global batch that it takes its statistics over.
      prototypes: whether a second map of the same shape turns the columns of the classifier's kernel into one
        unit vector per class, output `prototypes` [c, width]; its BatchNorm runs over these rows.

    Reference: Khosla et al. 2020, section 3.1; prototypes: Zhu et al. 2022, arXiv:2207.09052, section 3.3.
    """
    return ProjectorHead(classifier(head, classes), width, hidden, norm, norm_groups, prototypes)
