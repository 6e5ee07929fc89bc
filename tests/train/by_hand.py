"""Softmax regression on the digits in NumPy: what the trainer must do with `mlp(hidden=())` and a linear head."""

import numpy as np

from ltjax import data
from ltjax.types import ClassStats

LINEAR = {"model.name": "mlp", "model.hidden": (), "run.dtype": "float64"}
"""A model without hidden layers: features are the pixels, the head is everything."""


class Digits:
    """The training rows of `digits_lt` as the network sees them."""

    def __init__(self):
        dataset = data.load("digits_lt")
        self.x = dataset.train["x"].reshape(len(dataset.train["x"]), -1) / dataset.scale
        self.label = dataset.train["label"]
        self.stats = ClassStats(dataset.counts)
        rng = np.random.default_rng(5)
        self.params = {"head/kernel": rng.normal(0, 0.2, (64, 10)), "head/bias": rng.normal(0, 0.2, 10)}

    def plan(self, steps: int, batch: int = 16, seed: int = 1) -> np.ndarray:
        return np.random.default_rng(seed).integers(0, len(self.x), (steps, batch))


def log_probabilities(params, x):
    z = x @ params["head/kernel"] + params["head/bias"]
    z = z - z.max(-1, keepdims=True)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


def cross_entropy(params, x, label):
    return -log_probabilities(params, x)[np.arange(len(x)), label]


def gradient(params, x, label, share=None):
    """Of the mean cross-entropy, or of the sum of `share` times each row's."""
    share = np.full(len(x), 1 / len(x)) if share is None else share
    wrong = np.exp(log_probabilities(params, x))
    wrong[np.arange(len(x)), label] -= 1
    wrong = wrong * share[:, None]
    return {"head/kernel": x.T @ wrong, "head/bias": wrong.sum(0)}


def norm(tree) -> float:
    return float(np.sqrt(sum((a**2).sum() for a in tree.values())))


def train(digits, plan, rates, *, momentum=0.9, nesterov=False, decay=0.0, decayed=("head/kernel", "head/bias"),
          factors=None, clip=0.0, accumulate=1):
    """Parameters, losses and gradient norms of momentum SGD, one plain line per rule."""
    params, buffers = dict(digits.params), {}
    losses, norms = [], []
    for step, rate in enumerate(rates):
        rows = plan[step * accumulate: (step + 1) * accumulate]
        parts = [gradient(params, digits.x[r], digits.label[r]) for r in rows]
        losses.append(np.mean([cross_entropy(params, digits.x[r], digits.label[r]).mean() for r in rows]))
        grad = {k: np.mean([g[k] for g in parts], 0) for k in params}
        norms.append(norm(grad))
        if clip:
            grad = {k: g * min(1, clip / (norms[-1] + 1e-6)) for k, g in grad.items()}
        for k in params:
            g = grad[k] + decay * params[k] * (k in decayed)
            buffers[k] = momentum * buffers[k] + g if step else g
            move = g + momentum * buffers[k] if nesterov else buffers[k]
            params[k] = params[k] - rate * (factors or {}).get(k, 1) * move
    return params, np.array(losses), np.array(norms)
