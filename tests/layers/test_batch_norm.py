"""BatchNorm over groups: eight devices, one device and a plain loop agree in values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from ltjax.layers import BatchNorm

ROWS, PLACES, WIDTH, MOMENTUM, EPSILON = 32, 3, 4, 0.9, 1e-5


@pytest.fixture(scope="module")
def example():
    rng = np.random.default_rng(0)
    mask = np.ones(ROWS)
    mask[[1, 5, 6, 7, 30]] = 0
    mask[16:18] = 0  # one whole group of sixteen
    return {
        "x": 3 + 2 * rng.normal(size=(ROWS, PLACES, 1, WIDTH)),
        "mask": mask,
        "weight": rng.normal(size=(ROWS, PLACES, 1, WIDTH)),
        "params": {"scale": rng.normal(size=WIDTH), "bias": rng.normal(size=WIDTH)},
        "stats": {"mean": rng.normal(size=WIDTH), "var": 1 + rng.random(WIDTH)},
    }


def plain(x, params, stats, mask, groups):
    """The definition, group by group."""
    outputs, means, variances = [], [], []
    for part, rows in zip(jnp.split(x, groups), np.split(mask, groups)):
        if rows.any():
            kept = part[rows > 0].reshape(-1, WIDTH)
            mean = kept.sum(0) / len(kept)
            var = jnp.square(kept - mean[None]).sum(0) / len(kept)
            means.append(mean)
            variances.append(var)
        else:
            mean, var = jnp.zeros(WIDTH), jnp.zeros(WIDTH)
        y = (part.reshape(-1, WIDTH) - mean[None]) / jnp.sqrt(var + EPSILON)[None]
        outputs.append((y * params["scale"][None] + params["bias"][None]).reshape(part.shape))
    moved = {"mean": sum(means) / len(means), "var": sum(variances) / len(variances)}
    return jnp.concatenate(outputs), {k: MOMENTUM * stats[k] + (1 - MOMENTUM) * moved[k] for k in stats}


def run(example, groups, devices, masked):
    """Loss, gradients, outputs and statistics of the layer under shard_map, as a train step takes them."""
    axis = "data" if devices else None
    layer = BatchNorm(groups, axis=axis)
    mask = example["mask"] if masked else np.ones(ROWS)

    def step(params, stats, x, mask, weight):
        if axis:
            params = jax.lax.pcast(params, axis, to="varying")

        def loss(params, x):
            y, new = layer.apply({"params": params, "batch_stats": stats}, x, train=True,
                                 mask=mask if masked else None, mutable=["batch_stats"])
            return (weight * jnp.sin(y) * mask.reshape(-1, 1, 1, 1)).sum(), (y, new["batch_stats"])

        (value, (y, new)), (gp, gx) = jax.value_and_grad(loss, (0, 1), has_aux=True)(params, x)
        if axis:
            value, gp = jax.lax.psum((value, gp), axis)
        return {"loss": value, "params": gp, "stats": new}, {"x": gx, "y": y}

    if axis:
        mesh = jax.make_mesh((devices,), (axis,), (AxisType.Auto,), devices=jax.devices()[:devices])
        specs = (P(), P(), P(axis), P(axis), P(axis))
        step = jax.shard_map(step, mesh=mesh, in_specs=specs, out_specs=(P(), P(axis)))
    return jax.jit(step)(example["params"], example["stats"], example["x"], mask, example["weight"])


def reference(example, groups, masked):
    mask = example["mask"] if masked else np.ones(ROWS)

    def loss(params, x):
        y, new = plain(x, params, example["stats"], mask, groups)
        return (example["weight"] * jnp.sin(y) * mask.reshape(-1, 1, 1, 1)).sum(), (y, new)

    params, x = jax.tree.map(jnp.asarray, (example["params"], example["x"]))
    (value, (y, new)), (gp, gx) = jax.value_and_grad(loss, (0, 1), has_aux=True)(params, x)
    return {"loss": value, "params": gp, "stats": new}, {"x": gx, "y": y}


@pytest.mark.parametrize(("groups", "masked"), [
    pytest.param(groups, masked, marks=() if masked and groups in (1, 8) else pytest.mark.slow)
    for groups in (1, 2, 8, 16) for masked in (False, True)])
def test_any_number_of_devices_gives_the_plain_formula_and_its_gradients(example, groups, masked):
    with jax.enable_x64(True):
        expected = reference(example, groups, masked)
        if masked:  # what a masked row itself becomes is nobody's business
            keep = example["mask"].reshape(-1, 1, 1, 1)
            expected[1]["y"] = expected[1]["y"] * keep
        for devices in (0, 1, 2, 8):
            found = run(example, groups, devices, masked)
            if masked:
                found[1]["y"] = found[1]["y"] * keep
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, 1e-10, 1e-10), found, expected)
            assert all(leaf.dtype == np.float64 for leaf in jax.tree.leaves(found))


def test_masked_rows_do_not_matter_and_get_no_gradient(example):
    with jax.enable_x64(True):
        spoilt = {**example, "x": np.where(example["mask"].reshape(-1, 1, 1, 1) > 0, example["x"], 1e6)}
        first, second = run(example, 1, 8, True), run(spoilt, 1, 8, True)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10), first[0], second[0])
        assert not np.asarray(second[1]["x"])[example["mask"] == 0].any()


def test_groups_that_fit_neither_devices_nor_rows_are_refused_in_one_sentence(example):
    with pytest.raises(ValueError, match="norm_groups=3 must be a multiple or a divisor of the 8 devices"):
        run(example, 3, 8, False)
    with pytest.raises(ValueError, match="norm_groups=64 does not divide the global batch of 32 rows"):
        run(example, 64, 8, False)
    with pytest.raises(ValueError, match=r"inside jax.shard_map"):
        BatchNorm().init(jax.random.key(0), jnp.zeros((2, 3)), train=True)
    with pytest.raises(ValueError, match=r"mask has shape \(2, 1\)"):
        BatchNorm(axis=None).init(jax.random.key(0), jnp.zeros((2, 3)), train=True, mask=jnp.ones((2, 1)))


def test_evaluation_uses_running_statistics_and_moves_nothing():
    x = jnp.asarray([[1.0, 2.0], [3.0, 6.0]])
    variables = {"params": {"scale": jnp.asarray([2.0, 1.0]), "bias": jnp.asarray([0.0, 1.0])},
                 "batch_stats": {"mean": jnp.asarray([1.0, 2.0]), "var": jnp.asarray([4.0, 16.0])}}
    y, after = BatchNorm(epsilon=0.0).apply(variables, x, mutable=["batch_stats"])
    np.testing.assert_allclose(y, [[0, 1], [2, 2]], rtol=1e-6)
    jax.tree.map(np.testing.assert_array_equal, after["batch_stats"], variables["batch_stats"])


def test_training_by_hand_on_two_rows():
    x = jnp.asarray([[1.0], [5.0]])
    layer = BatchNorm(axis=None, epsilon=0.0, momentum=0.75)
    y, after = layer.apply(layer.init(jax.random.key(0), x), x, train=True, mutable=["batch_stats"])
    np.testing.assert_allclose(y, [[-1], [1]], rtol=1e-6)
    np.testing.assert_allclose(after["batch_stats"]["mean"], [0.75], rtol=1e-6)
    np.testing.assert_allclose(after["batch_stats"]["var"], [0.75 + 0.25 * 4], rtol=1e-6)


def test_half_precision_input_keeps_float32_statistics_and_parameters():
    x = jnp.asarray([[1.0], [1.0078125]], jnp.bfloat16)
    layer = BatchNorm(axis=None)
    variables = layer.init(jax.random.key(0), x)
    y, after = layer.apply(variables, x, train=True, mutable=["batch_stats"])
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves((variables, after))} == {np.dtype("float32")}
    assert BatchNorm(axis=None, dtype=jnp.float32).apply(variables, x).dtype == jnp.float32


def test_a_batch_without_any_row_leaves_the_statistics():
    x, layer = jnp.ones((2, 3)), BatchNorm(axis=None)
    variables = layer.init(jax.random.key(0), x)
    y, after = layer.apply(variables, x, train=True, mask=jnp.zeros(2), mutable=["batch_stats"])
    assert np.isfinite(y).all()
    jax.tree.map(np.testing.assert_array_equal, after["batch_stats"], variables["batch_stats"])
