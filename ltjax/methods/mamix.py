"""MAMix: mixup whose label ratio follows the margins that class sizes ask for."""

from ltjax.methods.base import Entry, Method, Stage
from ltjax.methods.cifar import cifar
from ltjax.registry import register


@register("method", "mamix", cite="arXiv:2308.15457",
          bounds={"alpha": (1e-3, 1e3), "power": (-10.0, 10.0), "after": (0.0, 1.0), "beta": (0.0, 1.0)})
def mamix(*, loss="ce", alpha=1.0, power=-0.25, after=0.8, beta=0.9999, head="linear"):
    """Blended pairs whose labels count alike where the margins of both classes meet; re-weighted at the end.

    Weighted rows are divided by their number, not by their weights, as released. The defaults are those of
    CIFAR-10-LT; on CIFAR-100-LT the authors train 300 epochs, re-weight from the 250th on (after=5/6) and drop the
    rate to 1/10 and 1/100 after 150 and 250. They also run the clean batch through the network in training mode,
    which moves BatchNorm's statistics a second time; this does not.

    Args:
      loss: of both labels; alpha: of the ratio; power: of the class counts in the margin.
      after: share of the run without class weights (1 is none at all); beta: of the effective number.
      head: the classifier.
    """
    weights = dict(name="effective_number", beta=beta, after=after) if after < 1 else None
    mixer = dict(name="mamix", alpha=alpha, power=power)
    return Method(head=head, stages=(Stage(objective=(Entry(loss, weights=weights),), mixer=mixer),), recipe=cifar())
