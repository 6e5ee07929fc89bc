"""Trunks and the network: sizes, shapes, number types, statistics, masks, devices."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from ltjax import registry
from ltjax.models import Network, init_network

SMALL = {
    "mlp": ({"name": "mlp", "hidden": (12, 6)}, (8, 8, 1)),
    "small_cnn": ({"name": "small_cnn", "widths": (4, 6)}, (8, 8, 1)),
    "resnet_cifar": ({"name": "resnet32", "blocks": 1, "width": 4}, (8, 8, 3)),
    "wide_resnet": ({"name": "wide_resnet", "depth": 10, "widen": 1}, (8, 8, 3)),
    "resnet": ({"name": "resnet18"}, (16, 16, 3)),
    "vit": ({"name": "vit_s16", "width": 12, "depth": 2, "heads": 2, "patch": 4}, (8, 8, 3)),
}
"""One small member of each family: (spec, shape of an input)."""

NORMED = [family for family in SMALL if family != "vit"]
every_family = pytest.mark.parametrize("family", SMALL)


def network(spec, classes=10, head="linear"):
    part, options = registry.bind("model", spec)
    head_part, head_options = registry.bind("head", head)
    return Network(part.fn(**options), head_part.fn(classes=classes, **head_options))


def shapes(net, size, dtype=jnp.float32):
    return jax.eval_shape(partial(net.init, jax.random.key(0)), jax.ShapeDtypeStruct((1, *size), dtype))


@pytest.fixture(scope="module")
def built():
    """Family -> (network, parameters, state), compiled once."""
    made = {}

    def build(family):
        if family not in made:
            spec, size = SMALL[family]
            made[family] = network(spec), *init_network(network(spec), jax.random.key(0), (1, *size))
        return made[family]

    return build


def train(net, params, state, x, mask, devices=8):
    """Outputs and new statistics of a training-mode pass under shard_map."""
    def step(params, state, x, mask):
        out, new = net.apply({"params": params, **state}, x, train=True, mask=mask, mutable=["batch_stats"])
        return out["logits"], dict(new)

    mesh = jax.make_mesh((devices,), ("data",), (AxisType.Auto,), devices=jax.devices()[:devices])
    specs = (P(), P(), P("data"), P("data"))
    return jax.jit(jax.shard_map(step, mesh=mesh, in_specs=specs, out_specs=(P("data"), P())))(
        params, state, x, mask)


@pytest.mark.parametrize(("spec", "size", "classes", "parameters"), [
    ("resnet20", 32, 10, 269_722),
    ("resnet32", 32, 10, 464_154),
    ("resnet44", 32, 10, 658_586),
    ("resnet56", 32, 10, 853_018),
    ("wide_resnet", 32, 10, 36_479_194),
    ("resnet18", 224, 1000, 11_689_512),
    ("resnet50", 224, 1000, 25_557_032),
    ("resnext50", 224, 1000, 25_028_904),
    ("vit_s16", 224, 1000, 22_050_664),
    ("vit_b16", 224, 1000, 86_567_656),
])
def test_the_number_of_parameters_is_the_published_one(spec, size, classes, parameters):
    params = shapes(network(spec, classes), (size, size, 3))["params"]
    assert set(params) == {"trunk", "head"}
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == parameters


@pytest.mark.parametrize("name", registry.names("model"))
def test_every_registered_model_has_float32_features_of_one_vector_per_image(name):
    size = (224, 224, 3) if name.startswith("vit") else (32, 32, 3)
    net = network({"name": name, "dtype": "bfloat16"}, classes=3)
    x = jax.ShapeDtypeStruct((2, *size), jnp.float32)
    out, variables = jax.eval_shape(partial(net.init_with_output, jax.random.key(0)), x)
    assert out["features"].ndim == 2
    assert out["features"].shape[0] == 2
    assert out["logits"].shape == (2, 3)
    assert {leaf.dtype for leaf in jax.tree.leaves((out, variables))} == {np.dtype("float32")}


@every_family
def test_evaluation_is_finite_and_moves_nothing(family, built):
    net, params, state = built(family)
    x = jax.random.normal(jax.random.key(1), (4, *SMALL[family][1]))
    out, after = jax.jit(partial(net.apply, mutable=["batch_stats"]))({"params": params, **state}, x)
    assert out["logits"].shape == (4, 10)
    assert np.isfinite(out["logits"]).all()
    assert np.ptp(np.asarray(out["logits"]), axis=0).min() > 0
    jax.tree.map(np.testing.assert_array_equal, dict(after), state)
    assert bool(state) == (family in NORMED)


@pytest.mark.parametrize("family", NORMED)
def test_training_moves_every_statistic_and_masked_rows_do_not_matter(family, built):
    net, params, state = built(family)
    x = np.array(jax.random.normal(jax.random.key(1), (16, *SMALL[family][1])))
    mask = np.ones(16, np.float32)
    mask[[3, 8, 9]] = 0
    logits, first = train(net, params, state, x, mask)
    x[mask == 0] = 100
    again, second = train(net, params, state, x, mask)
    np.testing.assert_allclose(again[mask > 0], logits[mask > 0], rtol=1e-6, atol=1e-6)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-6, atol=1e-6), second, first)
    assert all((np.asarray(a) != np.asarray(b)).any()
               for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(state)))


@pytest.mark.parametrize("family", ["small_cnn", "resnet_cifar"])
def test_eight_devices_train_like_one_in_float64(family):
    with jax.enable_x64(True):
        spec, size = SMALL[family]
        net = network(spec)
        params, state = init_network(net, jax.random.key(0), (1, *size), jnp.float64)
        x = jax.random.normal(jax.random.key(1), (16, *size), jnp.float64)
        mask = jnp.ones(16).at[5].set(0)
        results = [train(net, params, state, x, mask, devices) for devices in (1, 8)]
        assert {leaf.dtype for leaf in jax.tree.leaves((params, state, results))} == {np.dtype("float64")}
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-10, atol=1e-12), *results)


def test_a_stage_that_trains_part_of_the_network_differentiates_beside_replicated_kernels():
    """Kernels that stay fixed are the same on all devices while gradients pass through them."""
    spec, size = SMALL["small_cnn"]
    net = network(spec)
    params, state = init_network(net, jax.random.key(0), (1, *size))
    x = jax.random.normal(jax.random.key(1), (8, *size))

    def loss(norm, params, x):
        params["trunk"]["block1"] = {**params["trunk"]["block1"], "norm": norm}
        return jnp.square(net.apply({"params": params, **state}, x)["logits"]).sum()

    def step(params, x):
        norm = jax.lax.pcast(params["trunk"]["block1"]["norm"], "data", to="varying")
        return jax.lax.psum(jax.grad(loss)(norm, params, x), "data")

    mesh = jax.make_mesh((8,), ("data",), (AxisType.Auto,))
    found = jax.jit(jax.shard_map(step, mesh=mesh, in_specs=(P(), P("data")), out_specs=P()))(params, x)
    expected = jax.jit(jax.grad(loss))(params["trunk"]["block1"]["norm"], params, x)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5), found, expected)


def test_bfloat16_computes_near_float32_with_the_same_parameters(built):
    net, params, state = built("small_cnn")
    half = network({**SMALL["small_cnn"][0], "dtype": "bfloat16"})
    x = jax.random.normal(jax.random.key(1), (4, 8, 8, 1))
    full, low = (np.asarray(n.apply({"params": params, **state}, x)["features"]) for n in (net, half))
    assert full.dtype == low.dtype == np.float32
    assert 0 < np.abs(full - low).max() < 0.05


def test_initialisation_is_that_of_the_module_whatever_the_batch_size():
    spec, size = SMALL["mlp"]
    net = network(spec)
    params, state = init_network(net, jax.random.key(3), (1, *size))
    eager = net.init(jax.random.key(3), jnp.zeros((7, *size)))
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-6), params, eager["params"])
    jax.tree.map(np.testing.assert_array_equal, state, {"batch_stats": eager["batch_stats"]})


def test_option_a_shortcut_subsamples_and_pads_channels_evenly():
    """With the last scale of the second branch at zero a block is its rectified shortcut."""
    from ltjax.models.resnet_cifar import Block

    block, x = Block(8, 2, 1), jnp.arange(1.0, 65).reshape(1, 4, 4, 4)
    variables = block.init(jax.random.key(0), x)
    variables["params"]["second"]["norm"]["scale"] = jnp.zeros(8)
    y = block.apply(variables, x)
    assert y.shape == (1, 2, 2, 8)
    np.testing.assert_array_equal(y[..., 2:6], x[:, ::2, ::2])
    np.testing.assert_array_equal(y[..., [0, 1, 6, 7]], 0)


def test_the_cifar_stem_keeps_the_resolution():
    def positions(stem):
        part, options = registry.bind("model", {"name": "resnet18", "stem": stem})
        sizes, keep = [], lambda module, _: isinstance(module, nn.Module)
        run = partial(part.fn(**options).init_with_output, capture_intermediates=keep)
        _, variables = jax.eval_shape(run, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))
        for name, inner in variables["intermediates"].items():
            if name.startswith("stage"):
                sizes.append(inner["__call__"][0].shape[1])
        return sizes

    assert positions("imagenet") == [8, 8, 4, 4, 2, 2, 1, 1]
    assert positions("cifar") == [32, 32, 16, 16, 8, 8, 4, 4]


@pytest.mark.parametrize(("spec", "message"), [
    ({"name": "wide_resnet", "depth": 27}, "model.depth=27 must be 4 more than a multiple of 6"),
    ({"name": "vit_s16", "heads": 5}, "model.heads=5 must divide model.width=384"),
    ({"name": "resnet32", "dtype": "float8"}, "Accepted: float32, bfloat16"),
    ({"name": "resnet18", "stem": "cifer"}, "Did you mean 'cifar'"),
])
def test_bad_options_are_told_in_one_sentence(spec, message):
    with pytest.raises(registry.ConfigError, match=message):
        network(spec)


def test_an_image_that_is_no_multiple_of_the_patch_is_refused():
    with pytest.raises(ValueError, match=r"model.patch=16 does not divide the sides of images \(20, 32\)"):
        shapes(network("vit_s16"), (20, 32, 3))
