"""DatasetEquity: examples from small clusters of the data count more."""

from ltjax.methods.base import Method, Stage
from ltjax.registry import register


@register("method", "dataset_equity", cite="arXiv:2308.09878",
          bounds={"eta": (0.0, 1e9), "gamma": (0.0, 1e3), "clusters": (1, 10**6)})
def dataset_equity(*, eta=1.0, gamma=5.0, clusters=16):
    """Cross-entropy weighed by how rare the example's cluster of features is; the clusters follow the network.

    The authors cluster once, by features of another network, and weigh the losses of a detector; the number of
    clusters is ours. Weights lie between eta / (eta + 1) and 1.

    Args:
      eta: towards infinity all examples weigh 1; gamma: how sharply common clusters lose weight.
      clusters: of the features, found anew at each epoch's start.
    """
    return Method(stages=(Stage(objective=dict(name="dataset_equity", eta=eta, gamma=gamma, clusters=clusters)),))
