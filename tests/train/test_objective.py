"""The number that is minimised: normalisers, mixed pairs, windows, deferral, its gradient; by hand in NumPy.

At a rate of zero the parameters stay, so that every step's loss is known in closed form.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ltjax.methods.base import Entry, Stage
from ltjax.train.loop import fit
from ltjax.train.prepare import prepare
from ltjax.weights.inverse import inverse
from tests.train.by_hand import LINEAR, Digits, cross_entropy
from tests.train.setting import column, config, tensors

BATCH, STEPS = 16, 10
STILL = {**LINEAR, "optim.lr": 0.0, "optim.batch": BATCH}


def run(stage, digits, plan, **arguments):
    return fit(config(stage, **STILL, run__devices=8), init=[digits.params], plan=plan,
               steps_per_epoch=[[len(plan)]], **arguments)


def rows_of(digits, plan):
    return np.stack([cross_entropy(digits.params, digits.x[r], digits.label[r]) for r in plan])


def test_normalisers_deferral_and_windows_hold_at_every_step():
    digits = Digits()
    plan, table = digits.plan(STEPS), inverse(stats=digits.stats)
    entries = (
        Entry("ce"),
        Entry("ce", weights="inverse"),
        Entry("ce", weights=dict(name="inverse", after=0.45), normaliser="weight_sum"),
        Entry("ce", after=0.35, until=0.75, weight=2.0),
    )
    result = run(Stage(objective=entries), digits, plan)
    value, weight = rows_of(digits, plan), table[digits.label[plan]]
    late = (np.arange(STEPS) >= round(0.45 * STEPS))[:, None]
    deferred = np.where(late, weight, 1)
    open_now = (np.arange(STEPS) >= round(0.35 * STEPS)) & (np.arange(STEPS) < round(0.75 * STEPS))
    expected = {
        "entry/ce": value.mean(1),
        "entry/ce_2": (value * weight).mean(1),
        "entry/ce_3": (value * deferred).sum(1) / deferred.sum(1),
        "entry/ce_4": np.where(open_now, value.mean(1), 0),
    }
    for name, wanted in expected.items():
        np.testing.assert_allclose(column(result, name), wanted, rtol=1e-11, err_msg=name)
    total = sum(v * (2 if name == "entry/ce_4" else 1) for name, v in expected.items())
    np.testing.assert_allclose(column(result, "loss"), total, rtol=1e-11)


@pytest.mark.parametrize(("share", "steps", "switch"), [(0.8, 10, 8), (0.25, 10, 2), (0.35, 10, 4), (0.999, 10, 10),
                                                        (0.29, 7, 2), (1.0, 7, 7), (0.0, 7, 0)])
def test_deferred_weights_start_at_the_rounded_share_of_the_steps(share, steps, switch):
    entry = Entry("ce", weights=dict(name="inverse", after=share), after=share)
    stage = Stage(objective=(Entry("ce"), entry))
    ready = prepare(config(stage), steps_per_epoch=[[steps]]).stages[0].entries[1]
    assert (ready.weights_after, ready.after) == (switch, switch)


def test_a_mixed_batch_counts_each_label_by_its_ratio_and_its_own_weight():
    digits = Digits()
    plan, other = digits.plan(4), digits.plan(4, seed=2)
    ratio = np.array([0.9, 0.35, 1.0, 0.5])
    weights = dict(weights="inverse", normaliser="weight_sum")
    entries = (Entry("ce"), Entry("ce", **weights), Entry("ce", pairs="each", **weights))
    result = run(Stage(objective=entries, mixer="mixup"), digits, plan, other=other, draws={"mixup": {"ratio": ratio}})
    table = inverse(stats=digits.stats)
    for step, lam in enumerate(ratio):
        mixed = lam * digits.x[plan[step]] + (1 - lam) * digits.x[other[step]]
        first, second = digits.label[plan[step]], digits.label[other[step]]
        a, b = cross_entropy(digits.params, mixed, first), cross_entropy(digits.params, mixed, second)
        u, v = table[first], table[second]
        plain = (lam * a + (1 - lam) * b).mean()
        joint = (lam * u * a + (1 - lam) * v * b).sum() / (lam * u + (1 - lam) * v).sum()
        each = lam * (u * a).sum() / u.sum() + (1 - lam) * (v * b).sum() / v.sum()
        found = [column(result, name)[step] for name in ("entry/ce", "entry/ce_2", "entry/ce_3")]
        np.testing.assert_allclose(found, [plain, joint, each], rtol=1e-11)


def test_a_row_whose_partner_slot_is_empty_is_not_mixed():
    digits = Digits()
    plan, other = digits.plan(2), digits.plan(2, seed=2)
    plan[1, :3] = -1
    other[:, 4:7] = -1
    result = run(Stage(mixer="mixup"), digits, plan, other=other, draws={"mixup": {"ratio": np.array([0.3, 0.3])}})
    for step in range(2):
        keep = plan[step] >= 0
        rows, mates = plan[step][keep], np.where(other[step] >= 0, other[step], plan[step])[keep]
        mixed = 0.3 * digits.x[rows] + 0.7 * digits.x[mates]
        value = 0.3 * cross_entropy(digits.params, mixed, digits.label[rows]) + 0.7 * cross_entropy(
            digits.params, mixed, digits.label[mates])
        assert column(result, "loss")[step] == pytest.approx(value.mean(), rel=1e-11)


@pytest.mark.parametrize("devices", [1, 8])
def test_one_step_is_the_plain_gradient_of_a_hand_written_loss(devices):
    """Inside shard_map a gradient can silently arrive multiplied by the number of devices."""
    digits, lr = Digits(), 0.3
    rng = np.random.default_rng(3)
    init = {"trunk/dense1/kernel": rng.normal(0, 0.2, (64, 12)), "trunk/dense1/bias": rng.normal(0, 0.1, 12),
            "head/kernel": rng.normal(0, 0.3, (12, 10)), "head/bias": rng.normal(0, 0.1, 10)}
    plan = digits.plan(1, batch=24)
    entries = (Entry("ce", weights="inverse", normaliser="weight_sum"),
               Entry(dict(name="feature_queue", size=24, temperature=0.5), weight=0.7), Entry("lade", weight=0.4))
    given = config(Stage(objective=entries), **{
        **LINEAR, "model.hidden": (12,), "model.norm": False, "optim.batch": 24, "optim.lr": lr,
        "optim.schedule": "constant", "optim.weight_decay": 0.0, "run.devices": devices})
    result = fit(given, init=[init], plan=plan, steps_per_epoch=[[1]])

    x, label = digits.x[plan[0]], digits.label[plan[0]]
    weight, prior = inverse(stats=digits.stats)[label], digits.stats.prior

    def loss(p):
        h = jax.nn.relu(x @ p["trunk/dense1/kernel"] + p["trunk/dense1/bias"][None])
        z = h @ p["head/kernel"] + p["head/bias"][None]
        own = (jax.nn.logsumexp(z, 1) - z[np.arange(24), label])
        ce = (weight * own).sum() / weight.sum()
        f = h / jnp.linalg.norm(h, axis=1, keepdims=True)
        s = f @ f.T / 0.5 - 1e30 * np.eye(24)
        logp = s - jax.nn.logsumexp(s, 1, keepdims=True)
        positive = (label[:, None] == label[None, :]) & ~np.eye(24, dtype=bool)
        number = positive.sum(1)
        contrast = jnp.where(number > 0, -jnp.where(positive, logp, 0).sum(1) / np.maximum(number, 1), 0).mean()
        shifted = z + np.log(prior + 1e-9)[None, :]
        ce2 = (jax.nn.logsumexp(shifted, 1) - shifted[np.arange(24), label]).mean()
        one_hot = np.eye(10)[label]
        mine = (one_hot * z).sum(0) / (one_hot.sum(0) + 1e-8)
        every = jax.nn.logsumexp(z, 0) + np.log(0.1 + 1e-9) - np.log(prior + 1e-9) - np.log(24)
        lade = ce2 - 0.1 * (prior * (mine - every - 0.01 * every**2)).sum()
        return ce + 0.7 * contrast + 0.4 * lade

    with jax.enable_x64(True):
        value, grad = jax.value_and_grad(loss)({k: jnp.asarray(v) for k, v in init.items()})
    assert column(result, "loss")[0] == pytest.approx(float(value), rel=1e-11)
    size = float(np.sqrt(sum((np.asarray(g) ** 2).sum() for g in grad.values())))
    assert column(result, "grad_norm")[0] == pytest.approx(size, rel=1e-10)
    for path, after in tensors(result.params).items():
        np.testing.assert_allclose((init[path] - after) / lr, grad[path], rtol=1e-8, atol=1e-12, err_msg=path)
