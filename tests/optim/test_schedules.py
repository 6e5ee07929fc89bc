"""Learning rates, epoch by epoch, as the authors' loops write them."""

import math

import numpy as np
import pytest

from ltjax import registry
from ltjax.optim.schedules import rates
from ltjax.registry import ConfigError


def made(name, total, **options):
    part, options = registry.bind("schedule", {"name": name, **options})
    return rates(part, options, 1.0, np.arange(total))


def half_cosine(t, total):
    return (1 + math.cos(math.pi * t / total)) / 2


def drops(unit, table):
    return next((factor for start, factor in reversed(table) if unit >= start), 1.0)


RULES = {
    "epochs from 1, warm-up over 2, drops after 4 and 5": (
        "steps", 7, dict(at=(4 / 7, 5 / 7), factors=(1e-2, 1e-4), warmup=2 / 7),
        lambda e: (e + 1) / 2 if e + 1 <= 2 else 1e-4 if e + 1 > 5 else 1e-2 if e + 1 > 4 else 1.0),
    "warm-up of one epoch is none": (
        "steps", 6, dict(at=(0.5,), factors=(0.1,), warmup=1 / 6), lambda e: drops(e, [(3, 0.1)])),
    "drops counted from 0": (
        "steps", 6, dict(at=(3 / 6, 5 / 6), factors=(0.1, 0.01)), lambda e: drops(e, [(3, 0.1), (5, 0.01)])),
    "drops in any order": (
        "steps", 6, dict(at=(5 / 6, 3 / 6), factors=(0.01, 0.1)), lambda e: drops(e, [(3, 0.1), (5, 0.01)])),
    "scheduler ahead, warm-up from a third": (
        "steps", 6, dict(at=(4 / 6, 1.0), factors=(0.1, 0.01), warmup=2 / 6, start=1 / 3, ahead=1),
        lambda e: (1 / 3 * (1 - (e + 1) / 2) + (e + 1) / 2 if e + 1 < 2 else drops(e + 1, [(4, 0.1), (6, 0.01)]))),
    "cosine": ("cosine", 4, dict(), lambda e: half_cosine(e, 4)),
    "cosine ahead ends with an epoch at zero": ("cosine", 4, dict(ahead=1), lambda e: half_cosine(e + 1, 4)),
    "cosine ahead after a warm-up to a peak": (
        "cosine", 7, dict(warmup=3 / 7, start=0.5, ramp="peak", ahead=1),
        lambda e: 0.5 + 0.5 / 2 * (e + 1 - 1) if e + 1 < 3 else half_cosine(e + 1 - 3, 4)),
    "cosine after a linear warm-up": (
        "cosine", 9, dict(warmup=3 / 9), lambda e: (e + 1) / 3 if e < 3 else half_cosine(e - 3, 6)),
    "cosine over everything behind a warm-up": (
        "cosine", 5, dict(warmup=1 / 5, after_warmup=False), lambda e: 1.0 if e < 1 else half_cosine(e, 5)),
    "cosine after a warm-up from a third": (
        "cosine", 6, dict(warmup=2 / 6, start=1 / 3),
        lambda e: 1 / 3 + 2 / 3 * (e + 1) / 2 if e < 2 else half_cosine(e - 2, 4)),
    "constant": ("constant", 3, dict(), lambda e: 1.0),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_schedule_follows_its_rule(rule):
    name, total, options, expected = RULES[rule]
    wanted = [expected(e) for e in range(total)]
    np.testing.assert_allclose(made(name, total, **options), wanted, rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(made(name, total, **options, per="step"), wanted, rtol=1e-12, atol=1e-16)


def test_the_long_tail_standard_has_its_drops_at_160_and_180_of_200_epochs():
    values = made("steps", 200, warmup=0.025)
    np.testing.assert_allclose(values[:6], [0.2, 0.4, 0.6, 0.8, 1.0, 1.0])
    assert values[159] == 1
    assert values[160] == pytest.approx(0.01)
    assert values[180] == values[199] == pytest.approx(1e-4)


def test_epochs_of_unequal_length_keep_their_rate_to_their_last_step():
    part, options = registry.bind("schedule", {"name": "cosine"})
    np.testing.assert_allclose(rates(part, options, 2.0, [0, 0, 0, 1, 1, 2]),
                               2 * np.array([1, 1, 1, half_cosine(1, 3), half_cosine(1, 3), half_cosine(2, 3)]))


@pytest.mark.parametrize(("options", "told"), [
    (dict(name="steps", at=(0.5,)), "equal length"),
    (dict(name="steps", warmup=1.5), "out of range"),
    (dict(name="cosine", ramp="sudden"), "linear, peak"),
    (dict(name="cosin"), "Did you mean 'cosine'"),
])
def test_a_bad_schedule_is_told_in_a_sentence(options, told):
    with pytest.raises(ConfigError, match=told):
        made(**options, total=4)
