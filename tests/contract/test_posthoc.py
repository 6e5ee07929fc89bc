"""Contract of every registered rule after training; a new rule file is covered without a new test file."""

import inspect

import numpy as np
import pytest

from ltjax import registry
from ltjax.registry import ConfigError
from ltjax.types import ClassStats

CLASSES, WIDTH, ROWS = 5, 8, 40
STATS = ClassStats([500, 90, 40, 9, 3])
every_rule = pytest.mark.parametrize("name", registry.names("posthoc"))


def network(seed, rows=ROWS):
    """Outputs of one linear head and labels that its logits know something about, every class among them."""
    weights = np.random.default_rng(0).normal(size=(CLASSES, WIDTH)) * np.array([[4.0], [2.0], [1.0], [1.0], [0.5]])
    random, bias = np.random.default_rng(seed), STATS.log_prior
    labels = np.concatenate([np.arange(CLASSES), random.choice(CLASSES, rows - CLASSES, p=[0.4, 0.3, 0.1, 0.1, 0.1])])
    features = random.normal(size=(rows, WIDTH)) + 0.3 * weights[labels]
    logits = features @ weights.T + bias
    return {"features": features, "logits": logits, "classifier": weights, "classifier_bias": bias}, labels


def renamed(outputs, turn):
    return {"features": outputs["features"], "logits": outputs["logits"][:, turn],
            "classifier": outputs["classifier"][turn], "classifier_bias": outputs["classifier_bias"][turn]}


TEST, VAL = network(1)[0], network(2, rows=60)


def probe(name, stats=STATS):
    """Options with an effect on small data, where the defaults have none."""
    given = registry.get("posthoc", name).meta.get("probe", {})
    return {k: v(stats) if callable(v) else v for k, v in given.items()}


def make(name, stats=STATS, split=VAL, **options):
    """The rule with its options, fitted where it must be."""
    part, options = registry.bind("posthoc", {"name": name, **probe(name, stats), **options})
    if "fit" in part.meta:
        wanted = inspect.signature(part.meta["fit"]).parameters
        chosen = {k: v for k, v in options.items() if k in wanted}
        options["params"] = part.meta["fit"](*split, stats=stats, **chosen)
    return lambda outputs, **more: part.fn(outputs, stats=stats, **{**options, **more})


def other_values(part):
    for option, default in part.options.items():
        value = probe(part.name).get(option, default)
        if option == "target_log_prior":
            continue
        if value != default:
            yield option, default
        elif option in part.choices:
            yield option, next(c for c in part.choices[option] if c != value)
        elif isinstance(value, bool):
            yield option, not value
        elif isinstance(value, int):
            yield option, value * 2 if value < 10 else 2
        else:
            yield option, value / 2


@every_rule
def test_logits_of_the_classes_in_float64(name):
    outputs = {k: v.astype(np.float32) for k, v in TEST.items()}
    z = make(name)(outputs)
    assert isinstance(z, np.ndarray)
    assert z.shape == (ROWS, CLASSES)
    assert z.dtype == np.float64
    assert np.isfinite(z).all()


@every_rule
def test_outputs_are_not_changed(name):
    outputs, _ = network(1)
    make(name)(outputs)
    for field, value in TEST.items():
        np.testing.assert_array_equal(outputs[field], value)


@every_rule
def test_columns_beyond_the_classes_do_not_matter(name):
    wider = {**TEST, "logits": np.hstack([TEST["logits"], np.full((ROWS, 3), 9.0)])}
    outputs, labels = VAL
    split = ({**outputs, "logits": np.hstack([outputs["logits"], np.full((len(labels), 3), 9.0)])}, labels)
    np.testing.assert_allclose(make(name, split=split)(wider), make(name)(TEST), rtol=1e-12)


@every_rule
def test_a_row_does_not_see_the_others(name):
    if registry.get("posthoc", name).meta.get("transductive"):
        assert (make(name)(TEST) != TEST["logits"]).any()
        return
    part = {k: v[:7] if len(v) == ROWS else v for k, v in TEST.items()}
    np.testing.assert_allclose(make(name)(part), make(name)(TEST)[:7], rtol=1e-12)


@every_rule
def test_class_names_do_not_matter(name):
    turn = np.array([3, 0, 4, 1, 2])
    split = (renamed(VAL[0], turn), np.argsort(turn)[VAL[1]])
    rule = make(name, ClassStats(STATS.counts[turn]), split)
    np.testing.assert_allclose(rule(renamed(TEST, turn)), make(name)(TEST)[:, turn], rtol=1e-6, atol=1e-9)


@every_rule
def test_the_test_prior_is_added_or_refused(name):
    target = np.log([0.5, 0.2, 0.1, 0.1, 0.1])
    try:
        moved = make(name)(TEST, target_log_prior=target)
    except ConfigError as error:
        if "takes no target_log_prior" not in str(error):
            raise
        return
    np.testing.assert_allclose(moved - make(name)(TEST), np.broadcast_to(target, moved.shape), rtol=1e-9, atol=1e-9)


@every_rule
def test_every_option_changes_the_logits(name):
    part = registry.get("posthoc", name)
    for option, value in other_values(part):
        changed = make(name, **{option: value})(TEST)
        assert not np.allclose(changed, make(name)(TEST), rtol=1e-9), f"{name}: {option}={value!r} changed nothing"


@every_rule
def test_what_a_rule_declares_is_complete(name):
    meta = registry.get("posthoc", name).meta
    assert meta.get("needs") in (None, "train_posterior")
    assert ("fit" in meta) == ("fit_on" in meta) == ("params" in registry.get("posthoc", name).supplied)
    assert meta.get("fit_on") in (None, "train", "val")
    for field in meta.get("reads", ()):
        missing = {k: v for k, v in TEST.items() if k != field}
        with pytest.raises(ConfigError, match=f"reads the output '{field}'"):
            make(name)(missing)
