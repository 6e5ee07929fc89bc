"""What a step does to the parameters, against a few lines of NumPy."""

import numpy as np
import pytest

from ltjax.train.loop import fit
from tests.train.by_hand import LINEAR, Digits, gradient, train
from tests.train.setting import column, config, tensors

STEPS = 8
COSINE = {"name": "cosine", "per": "step"}
CASES = {
    "plain": (dict(momentum=0.0), dict(momentum=0.0)),
    "momentum and a falling rate": (dict(schedule=COSINE), dict()),
    "nesterov with decay of everything": (dict(nesterov=True, weight_decay=0.1), dict(nesterov=True, decay=0.1)),
    "decay of kernels only": (dict(weight_decay=0.1, decay=".*kernel"), dict(decay=0.1, decayed=("head/kernel",))),
    "a rate for biases": (dict(groups=(("head/.*", 5.0), (".*/bias", 0.5))),
                          dict(factors={"head/kernel": 5.0, "head/bias": 0.5})),
    "clip before decay": (dict(clip=0.5, weight_decay=0.1), dict(clip=0.5, decay=0.1)),
    "accumulation": (dict(accumulate=3, clip=0.5, nesterov=True), dict(accumulate=3, clip=0.5, nesterov=True)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_step_follows_its_rule(name):
    optim, rule = CASES[name]
    digits, lr = Digits(), 0.2
    plan = digits.plan(STEPS * rule.get("accumulate", 1))
    sets = {f"optim.{k}": v for k, v in {"weight_decay": 0.0, "schedule": "constant", "lr": lr, **optim}.items()}
    result = fit(config(**LINEAR, **sets, **{"optim.batch": 16}), init=[digits.params], plan=plan,
                 steps_per_epoch=[[STEPS]])
    falls = (1 + np.cos(np.pi * np.arange(STEPS) / STEPS)) / 2
    rates = lr * (falls if optim.get("schedule") == COSINE else np.ones(STEPS))
    params, losses, norms = train(digits, plan, rates, **rule)
    assert not rule.get("clip") or (norms > rule["clip"]).any()
    np.testing.assert_allclose(column(result, "lr"), rates, rtol=1e-12)
    np.testing.assert_allclose(column(result, "loss"), losses, rtol=1e-10)
    np.testing.assert_allclose(column(result, "grad_norm"), norms, rtol=1e-10)
    for path, value in tensors(result.params).items():
        np.testing.assert_allclose(value, params[path], rtol=1e-9, atol=1e-12, err_msg=path)


def test_adamw_decays_apart_from_the_moments():
    digits, lr, decay, b1, b2 = Digits(), 0.01, 0.1, 0.9, 0.999
    plan = digits.plan(5)
    result = fit(config(**LINEAR, **{"optim.batch": 16, "optim.name": "adamw", "optim.lr": lr, "optim.schedule":
                                     "constant", "optim.weight_decay": decay, "optim.decay": ".*kernel"}),
                 init=[digits.params], plan=plan, steps_per_epoch=[[5]])
    params = dict(digits.params)
    m, v = dict.fromkeys(params, 0.0), dict.fromkeys(params, 0.0)
    for t, rows in enumerate(plan, start=1):
        g = gradient(params, digits.x[rows], digits.label[rows])
        for k in params:
            m[k], v[k] = b1 * m[k] + (1 - b1) * g[k], b2 * v[k] + (1 - b2) * g[k] ** 2
            move = m[k] / (1 - b1**t) / (np.sqrt(v[k] / (1 - b2**t)) + 1e-8)
            params[k] = params[k] - lr * (move + decay * params[k] * k.endswith("kernel"))
    for path, value in tensors(result.params).items():
        np.testing.assert_allclose(value, params[path], rtol=1e-9, atol=1e-12, err_msg=path)
