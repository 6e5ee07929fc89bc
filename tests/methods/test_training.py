"""Every registered method trains two epochs on small digits, on several networks and heads, to a result in range."""

import jax
import numpy as np
import pytest

from ltjax import config as configs
from ltjax import registry
from ltjax.train.loop import fit

METHODS = registry.names("method")
FAST = ("unimix", "causal_tde", "decoupled_balanced_softmax")
"""One that mixes with a second sampler, one with a head and a rule of its own, one of two stages."""
WITH_HEAD = [name for name in METHODS if "head" in registry.get("method", name).options]
NETWORKS = {
    "mlp": {"name": "mlp", "hidden": (16,)}, "mlp_without_norm": {"name": "mlp", "hidden": (16,), "norm": False},
    "small_cnn": {"name": "small_cnn"},
}


def spec(name, **options):
    """A method whose stages have an epoch each."""
    known = registry.get("method", name).options
    return {"name": name, **{option: 0.5 for option in known if option.endswith("_share")}, **options}


def trained(method, network="mlp"):
    config = configs.plain(configs.base())
    config |= {"data": {"name": "digits_lt", "largest": 40, "imbalance": 8.0, "val_per_class": 2},
               "model": NETWORKS[network], "method": method}
    config["optim"] |= {"epochs": 2, "batch": 16}
    config["run"] |= {"root": "", "log_every": 1}
    return fit(config)


def check(result):
    """Finite numbers everywhere; shares between 0 and 1."""
    losses = [row["loss"] for row in result.history if row["kind"] == "train"]
    assert losses
    assert np.isfinite(losses).all()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((result.params, result.model_state)))
    assert np.isfinite(result.outputs["test_logits"]).all()
    for measured in (result.metrics, result.raw or result.metrics):
        shares = [measured["accuracy"], measured["balanced_accuracy"], measured["macro_f1"], measured["ece"]["value"]]
        assert all(0 <= share <= 1 for share in shares)
        assert np.isfinite(measured["nll"])


@pytest.mark.parametrize("name", FAST)
def test_a_method_trains(name):
    check(trained(spec(name)))


@pytest.mark.slow
@pytest.mark.parametrize("network", ["small_cnn", "mlp_without_norm"])
@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_on_every_kind_of_network(name, network):
    check(trained(spec(name), network))


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_HEAD)
def test_a_method_that_takes_any_head_trains_with_cosines(name):
    margins = {"loss": "ldam"} if "loss" in registry.get("method", name).options else {}
    check(trained(spec(name, head="cosine", **margins)))


@pytest.mark.slow
@pytest.mark.parametrize("head", registry.names("head"))
def test_plain_training_works_with_every_head(head):
    check(trained({"name": "erm", "head": head}))


def test_weights_that_follow_clusters_of_the_data_are_renewed_while_training():
    shares = np.asarray(trained(spec("dataset_equity")).terms[0]["likelihood"])
    assert (shares > 0).all()
    assert len(np.unique(shares)) > 1
