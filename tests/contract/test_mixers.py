"""Contract of every registered mixer; a new mixer file is covered without a new test file."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from ltjax import registry
from ltjax.train.sharding import AXIS, Across, make_mesh
from ltjax.types import Alone, ClassStats, Context

ROWS, CLASSES = 16, 5
STATS = ClassStats([500, 90, 40, 9, 3])
every_mixer = pytest.mark.parametrize("name", registry.names("mixer"))


def make(name, **options):
    part, options = registry.bind("mixer", {"name": name, **options})
    return part.fn(**options)


def rows(seed, dtype="float32", shape=(8, 8, 3)):
    of_x, of_label = jax.random.split(jax.random.key(seed))
    return {"x": jax.random.normal(of_x, (ROWS, *shape)).astype(dtype),
            "label": jax.random.randint(of_label, (ROWS,), 0, CLASSES),
            "index": jnp.arange(ROWS), "mask": jnp.ones(ROWS)}


def pair(**like):
    return {**rows(0, **like), "other": rows(1, **like)}


def context(step=6, across=None):
    return Context(STATS, step, step // 2, step / 20, None, across or Alone(), {"epochs": 10})


def apply(mixer, batch, key=0, step=6):
    ctx = context(step)
    return mixer.mix(batch, mixer.draw(jax.random.key(key), batch, ctx), STATS, ctx)


def other_values(part):
    for option, default in part.options.items():
        value = part.meta.get("probe", {}).get(option, default)
        if value != default:
            yield option, default
        elif option in part.choices:
            yield option, next(c for c in part.choices[option] if c != value)
        elif option == "after":
            yield option, 7
        elif option == "until":
            yield option, 6
        elif isinstance(value, bool):
            yield option, not value
        else:
            yield option, value / 2


@every_mixer
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_mixed_batch_has_the_same_structure_and_two_labels(name, dtype):
    batch = pair(dtype=dtype)
    mixed = jax.jit(partial(apply, make(name, probability=1.0)))(batch)
    assert mixed.keys() == batch.keys() | {"label2", "ratio"}
    assert mixed["x"].dtype == batch["x"].dtype
    assert mixed["x"].shape == batch["x"].shape
    assert mixed["label2"].dtype == batch["label"].dtype
    assert mixed["ratio"].dtype == jnp.float32
    assert mixed["label2"].shape == mixed["ratio"].shape == (ROWS,)
    np.testing.assert_array_equal(mixed["label"], batch["label"])


@every_mixer
def test_ratios_lie_between_zero_and_one(name):
    batch, mixer = pair(), make(name, probability=1.0)
    ratios = np.concatenate([apply(mixer, batch, key)["ratio"] for key in range(50)])
    assert ratios.min() >= 0
    assert ratios.max() <= 1


@every_mixer
@pytest.mark.parametrize(("options", "step"), [({"after": 7}, 6), ({"until": 6}, 6), ({"probability": 0.0}, 6)])
def test_outside_its_window_a_mixer_leaves_the_batch_as_it_is(name, options, step):
    batch = pair()
    mixed = apply(make(name, **options), batch, step=step)
    for field in batch.keys() - {"other"}:
        np.testing.assert_array_equal(mixed[field], batch[field])
    np.testing.assert_array_equal(mixed["label2"], batch["label"])
    np.testing.assert_array_equal(mixed["ratio"], np.ones(ROWS))


@every_mixer
def test_the_first_and_the_last_step_of_the_window_are_mixed(name):
    mixer, batch = make(name, probability=1.0, after=4, until=9), pair()
    on = [bool((apply(mixer, batch, step=step)["label2"] != batch["label"]).any()) for step in range(3, 11)]
    assert on == [False, True, True, True, True, True, False, False]


@every_mixer
def test_the_given_share_of_batches_is_mixed(name):
    mixer, batch = make(name, probability=0.3), pair()
    on = jax.vmap(lambda key: mixer.draw(key, batch, context())["on"])(jax.random.split(jax.random.key(0), 2000))
    assert abs(float(on.mean()) - 0.3) < 5 * np.sqrt(0.3 * 0.7 / 2000)


@every_mixer
def test_one_compilation_serves_every_step(name):
    mixer, batch, traces = make(name, after=2, until=5), pair(), []

    @jax.jit
    def step(batch, key, at):
        traces.append(at)
        ctx = Context(STATS, at, at // 2, at / 20, None, Alone(), {"epochs": 10})
        return mixer.mix(batch, mixer.draw(key, batch, ctx), STATS, ctx)

    for at in range(8):
        step(batch, jax.random.key(at), jnp.int32(at))
    assert len(traces) == 1


@every_mixer
def test_one_and_eight_devices_mix_alike(name):
    mixer, batch = make(name, probability=1.0), pair()

    def local(batch):
        ctx = context(across=Across())
        return mixer.mix(batch, mixer.draw(jax.random.key(3), batch, ctx), STATS, ctx)

    split = jax.jit(jax.shard_map(local, mesh=make_mesh(8), in_specs=P(AXIS), out_specs=P(AXIS)))
    whole = jax.jit(jax.shard_map(local, mesh=make_mesh(1), in_specs=P(AXIS), out_specs=P(AXIS)))
    for a, b in zip(jax.tree.leaves(split(batch)), jax.tree.leaves(whole(batch))):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)


@every_mixer
def test_a_row_does_not_see_its_neighbours(name):
    mixer, batch, ctx = make(name, probability=1.0), pair(), context()
    values = mixer.draw(jax.random.key(0), batch, ctx)
    changed = {**batch, "x": batch["x"].at[3].add(1.0), "label": batch["label"].at[3].set(0)}
    a, b = (mixer.mix(given, values, STATS, ctx) for given in (batch, changed))
    rest = np.arange(ROWS) != 3
    for field in ("x", "label2", "ratio"):
        np.testing.assert_array_equal(a[field][rest], b[field][rest])


@every_mixer
def test_draws_may_be_handed_in_without_the_coin(name):
    mixer, batch, ctx = make(name, probability=0.0), pair(), context()
    values = mixer.draw(jax.random.key(0), batch, ctx)
    assert not values.pop("on")
    assert (mixer.mix(batch, values, STATS, ctx)["label2"] == batch["other"]["label"]).all()


@every_mixer
def test_several_views_are_mixed_alike(name):
    mixer, batch = make(name, probability=1.0), pair()
    views = lambda b: {**b, "x": jnp.stack([b["x"], b["x"]], 1)}
    both = apply(mixer, {**views(batch), "other": views(batch["other"])})["x"]
    np.testing.assert_array_equal(both[:, 0], both[:, 1])
    np.testing.assert_allclose(both[:, 0], apply(mixer, batch)["x"], rtol=1e-6)


@every_mixer
def test_float64_stays_float64(name):
    with jax.enable_x64(True):
        mixed = apply(make(name, probability=1.0), pair(dtype="float64"))
        assert mixed["x"].dtype == mixed["ratio"].dtype == jnp.float64


@every_mixer
def test_every_option_changes_the_batch(name):
    part, batch = registry.get("mixer", name), pair()
    probe = {"probability": 1.0, **part.meta.get("probe", {})}
    leaves = lambda mixer: [np.asarray(apply(mixer, batch, key)[f]) for f in ("x", "ratio") for key in range(12)]
    for option, value in other_values(part):
        plain, moved = leaves(make(name, **probe)), leaves(make(name, **{**probe, option: value}))
        assert any((a != b).any() for a, b in zip(plain, moved)), f"{name}: {option}={value!r} changed nothing"
