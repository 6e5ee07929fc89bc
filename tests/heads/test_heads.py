"""Heads: what they return, by hand and by definition, and where their parameters stand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from ltjax import posthoc, registry
from ltjax.models import Network, init_network
from ltjax.types import ClassStats

CLASSES, WIDTH, ROWS = 5, 4, 6
every_head = pytest.mark.parametrize("name", registry.names("head"))


def build(spec, classes=CLASSES):
    part, options = registry.bind("head", spec)
    return part.fn(classes=classes, **options)


@pytest.fixture
def features():
    return jax.random.normal(jax.random.key(7), (ROWS, WIDTH))


def started(spec, features):
    """(outputs, parameters) of a head whose parameters all are random numbers."""
    head = build(spec)
    variables = head.init(jax.random.key(0), features)
    leaves, tree = jax.tree.flatten(variables["params"])
    keys = jax.random.split(jax.random.key(1), len(leaves))
    params = tree.unflatten(jax.random.normal(k, leaf.shape, leaf.dtype) for k, leaf in zip(keys, leaves))
    return head.apply({**variables, "params": params}, features), params


@every_head
def test_every_head_returns_finite_float32_logits_and_its_classifier(name, features):
    out, _ = started(name, features.astype(jnp.bfloat16))
    lead = (3,) if name == "experts" else ()
    assert out["logits"].shape == (ROWS, CLASSES)
    assert out["classifier"].shape == (*lead, CLASSES, WIDTH)
    assert out.get("classifier_bias", jnp.zeros((*lead, CLASSES))).shape == (*lead, CLASSES)
    assert {leaf.dtype for leaf in jax.tree.leaves(out)} == {np.dtype("float32")}
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(out))


@every_head
def test_float64_features_stay_float64(name):
    with jax.enable_x64(True):
        out, params = started(name, jnp.ones((2, WIDTH), jnp.float64))
        assert {leaf.dtype for leaf in jax.tree.leaves((out, params))} == {np.dtype("float64")}


@every_head
def test_the_gradient_at_features_of_zero_is_finite(name):
    head = build(name)
    variables = head.init(jax.random.key(0), jnp.zeros((2, WIDTH)))
    loss = lambda v, h: sum(jnp.square(leaf).sum() for leaf in jax.tree.leaves(head.apply(v, h)))
    gradients = jax.grad(loss, (0, 1))(variables, jnp.zeros((2, WIDTH)))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))


def test_linear_by_its_formula(features):
    out, params = started("linear", features)
    expected = np.asarray(features) @ np.asarray(params["kernel"]) + np.asarray(params["bias"])
    np.testing.assert_allclose(out["logits"], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(out["classifier"], params["kernel"].T)
    np.testing.assert_array_equal(out["classifier_bias"], params["bias"])


def test_linear_without_bias_and_with_extra_columns(features):
    out, params = started({"name": "linear", "bias": False, "columns": 2}, features)
    assert {k: v.shape for k, v in params.items()} == {"kernel": (WIDTH, CLASSES + 2)}
    assert out["logits"].shape == (ROWS, CLASSES + 2)
    assert out["classifier"].shape == (CLASSES, WIDTH)
    assert "classifier_bias" not in out


@pytest.mark.parametrize(("init", "deviation", "largest"), [
    ("kaiming_normal", np.sqrt(2 / 400), 1.0), ("kaiming_uniform", np.sqrt(1 / 1200), 0.05), ("zeros", 0, 0)])
def test_the_linear_kernel_starts_as_its_option_says_and_the_bias_at_zero(init, deviation, largest):
    head = build({"name": "linear", "init": init}, classes=200)
    params = head.init(jax.random.key(0), jnp.zeros((1, 400)))["params"]
    np.testing.assert_allclose(params["kernel"].std(), deviation, rtol=0.02)
    assert jnp.abs(params["kernel"]).max() <= largest
    assert not params["bias"].any()


def test_cosine_by_its_formula(features):
    out, params = started({"name": "cosine", "scale": 16.0}, features)
    h, w = np.asarray(features), np.asarray(params["kernel"])
    expected = 16 * (h / np.linalg.norm(h, axis=1)[:, None]) @ (w / np.linalg.norm(w, axis=0)[None])
    np.testing.assert_allclose(out["logits"], expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(out["classifier"], axis=1), 1, rtol=1e-5)


def test_the_bias_of_rare_columns_starts_where_every_sigmoid_is_one_over_the_classes():
    params = build({"name": "linear", "bias_init": "rare"}).init(jax.random.key(0), jnp.zeros((1, WIDTH)))["params"]
    np.testing.assert_allclose(jax.nn.sigmoid(params["bias"]), np.full(CLASSES, 1 / CLASSES), rtol=1e-6)
    alone = build({"name": "linear", "bias_init": "rare"}, classes=1).init(jax.random.key(0), jnp.zeros((1, WIDTH)))
    assert not alone["params"]["bias"].any()


def test_causal_by_its_formula_and_as_its_rule_without_anything_removed(features):
    out, params = started({"name": "causal", "scale": 8.0, "gamma": 0.5}, features)
    h, w = np.asarray(features, np.float64), np.asarray(params["kernel"], np.float64).T
    expected = 0
    for half in (slice(0, 2), slice(2, 4)):
        u = h[:, half] / np.linalg.norm(h[:, half], axis=1, keepdims=True)
        expected = expected + 4 * u @ (w[:, half] / (np.linalg.norm(w[:, half], axis=1, keepdims=True) + 0.5)).T
    np.testing.assert_allclose(out["logits"], expected, rtol=1e-5, atol=1e-5)
    rule = posthoc.causal_tde({"features": h, "classifier": w}, stats=ClassStats(np.ones(CLASSES)), scale=8.0,
                              gamma=0.5, alpha=0.0, params={"direction": h.mean(0)})
    np.testing.assert_allclose(rule, expected, rtol=1e-12)
    with pytest.raises(registry.ConfigError, match="heads=3 must divide the feature width 4"):
        started({"name": "causal", "heads": 3}, features)


def test_scaled_multiplies_bias_and_product_and_starts_as_the_linear_head(features):
    out, params = started("scaled", features)
    product = np.asarray(features) @ np.asarray(params["kernel"]) + np.asarray(params["bias"])
    np.testing.assert_allclose(out["logits"], np.asarray(params["scale"]) * product, rtol=1e-5, atol=1e-5)
    again = features @ out["classifier"].T + out["classifier_bias"][None]
    np.testing.assert_allclose(out["logits"], again, rtol=1e-5, atol=1e-5)

    linear, scaled = (build(n).init(jax.random.key(3), features)["params"] for n in ("linear", "scaled"))
    assert not (scaled.pop("scale") - 1).any()
    jax.tree.map(np.testing.assert_array_equal, scaled, linear)


@pytest.mark.parametrize("identity", [False, True])
def test_disalign_by_its_formula(features, identity):
    out, p = started({"name": "disalign", "identity": identity}, features)
    h, p = np.asarray(features), jax.tree.map(np.asarray, p)
    z = h @ p["kernel"] + p["bias"]
    s = 1 / (1 + np.exp(-h @ p["confidence"]["kernel"] - p["confidence"]["bias"]))
    expected = s * (p["scale"] * z + p["offset"]) + (1 - s) * z if identity else (
        (1 + s * p["scale"]) * z + s * p["offset"])
    np.testing.assert_allclose(out["logits"], expected, rtol=1e-5, atol=1e-5)


def test_experts_share_features_or_take_one_branch_each(features):
    spec = {"name": "experts", "experts": 2, "head": {"name": "cosine", "scale": 2.0}}
    out, params = started(spec, features)
    assert sorted(params) == ["expert0", "expert1"]
    for i in range(2):
        alone = build(spec["head"]).apply({"params": params[f"expert{i}"]}, features)
        np.testing.assert_allclose(out["expert_logits"][i], alone["logits"], rtol=1e-6)
        np.testing.assert_allclose(out["classifier"][i], alone["classifier"], rtol=1e-6)
    np.testing.assert_allclose(out["logits"], out["expert_logits"].mean(0), rtol=1e-6)

    split = build(spec).apply({"params": params}, jnp.stack([features, -features]))
    np.testing.assert_allclose(split["expert_logits"][0], out["expert_logits"][0], rtol=1e-6)
    np.testing.assert_allclose(split["expert_logits"][1], -out["expert_logits"][1], rtol=1e-6)
    with pytest.raises(ValueError, match=r"head.experts=2, but the trunk has 3 branches"):
        build(spec).apply({"params": params}, jnp.zeros((3, ROWS, WIDTH)))


def test_the_projector_leaves_the_classifier_where_it_is_and_projects_on_the_sphere(features):
    linear = build("linear").init(jax.random.key(3), features)["params"]
    params = build("projector").init(jax.random.key(3), features)["params"]
    assert {k: v.shape for k, v in params["projection"]["dense1"].items()} == {"kernel": (4, 4), "bias": (4,)}
    del params["projection"]
    jax.tree.map(np.testing.assert_array_equal, params, linear)

    out, p = started({"name": "projector", "head": "cosine", "width": 3, "hidden": 7}, features)
    p = jax.tree.map(np.asarray, p["projection"])
    hidden = np.maximum(np.asarray(features) @ p["dense1"]["kernel"] + p["dense1"]["bias"], 0)
    u = hidden @ p["dense2"]["kernel"] + p["dense2"]["bias"]
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    np.testing.assert_allclose(out["projection"], u, rtol=1e-5, atol=1e-6)
    assert "prototypes" not in out


class Flat(nn.Module):
    """A trunk that hands its input on."""

    @nn.compact
    def __call__(self, x, *, train=False, mask=None):
        return x


@pytest.mark.parametrize("devices", [1, 8])
def test_projection_and_prototypes_normalise_by_the_batch_without_masked_rows(devices):
    """One training pass against the formula; the statistics come out the same on all devices."""
    spec = {"name": "projector", "head": "cosine", "norm": True, "prototypes": True, "width": 3, "hidden": 16}
    net = Network(Flat(), build(spec))
    params, state = init_network(net, jax.random.key(0), (1, WIDTH))
    x = jax.random.normal(jax.random.key(1), (16, WIDTH))
    mask = jnp.ones(16).at[jnp.asarray([2, 9])].set(0)

    def step(params, state, x, mask):
        params = jax.lax.pcast(params, "data", to="varying")
        out, new = net.apply({"params": params, **state}, x, train=True, mask=mask, mutable=["batch_stats"])
        return out["projection"], out["prototypes"][None], dict(new)

    mesh = jax.make_mesh((devices,), ("data",), (AxisType.Auto,), devices=jax.devices()[:devices])
    run = jax.shard_map(step, mesh=mesh, in_specs=(P(), P(), P("data"), P("data")),
                        out_specs=(P("data"), P("data"), P()))
    projection, prototypes, new = jax.jit(run)(params, state, x, mask)

    def project(p, rows, kept):
        p = jax.tree.map(np.asarray, p)
        h = rows @ p["dense1"]["kernel"] + p["dense1"]["bias"]
        mean, var = h[kept].mean(0), h[kept].var(0)
        u = np.maximum((h - mean) / np.sqrt(var + 1e-5), 0) @ p["dense2"]["kernel"] + p["dense2"]["bias"]
        return u / np.linalg.norm(u, axis=1, keepdims=True), mean

    head, stats = params["head"], new["batch_stats"]["head"]
    expected, mean = project(head["projection"], np.asarray(x), np.asarray(mask) > 0)
    np.testing.assert_allclose(projection[mask > 0], expected[mask > 0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(stats["projection"]["norm"]["mean"], 0.1 * mean, rtol=1e-4, atol=1e-6)
    expected, mean = project(head["prototypes"], np.asarray(head["kernel"]).T, np.arange(CLASSES))
    for own in prototypes:
        np.testing.assert_allclose(own, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(stats["prototypes"]["norm"]["mean"], 0.1 * mean, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("outer", ["experts", "projector"])
@pytest.mark.parametrize("inner", ["experts", "projector"])
def test_heads_that_hold_heads_are_not_nested(outer, inner):
    with pytest.raises(registry.ConfigError, match=f"head.head.name='{inner}' holds a head itself"):
        build({"name": outer, "head": inner})


def test_unknown_inner_heads_are_told_with_the_nearest_name():
    with pytest.raises(registry.ConfigError, match=r"head.head.name='linea' .*Did you mean 'linear'"):
        build({"name": "experts", "head": "linea"})
