"""Contract of every registered method; a new recipe is covered without a new test file. Nothing is trained here."""

import re

import pytest

from ltjax import config as configs
from ltjax import registry
from ltjax.methods.base import Entry, Method
from ltjax.train.prepare import prepare

from . import options

PARTS = [registry.get("method", name) for name in registry.names("method")]
every_method = pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)

OTHER_PARTS = {"loss": "balanced_softmax", "sampler": "square_root", "head": "cosine", "mixer": "mixup",
               "weights": "sqrt_inverse", "posthoc": ("temperature",)}
"""Another value for options that name a part."""


def prepared(method, **sets):
    """The checked experiment of a method on small digits with a validation split."""
    config = configs.plain(configs.base())
    config |= {"data": {"name": "digits_lt", "val_per_class": 2, "imbalance": 10.0}, "model": {"name": "small_cnn"},
               "method": method}
    config["optim"] |= {"epochs": 100, "batch": 16, **sets}
    config["run"]["root"] = ""
    return prepare(config)


def two_settings(part, option):
    """Two settings of a method that differ in one option."""
    if option in OTHER_PARTS and option not in part.meta.get("probe", {}):
        return {}, {option: OTHER_PARTS[option]}
    return options.pair(part, option, None)


@every_method
def test_is_documented_and_tells_where_it_comes_from(part):
    text = part.fn.__doc__ or ""
    assert part.summary.endswith(".")
    assert part.cite
    untold = [option for option in part.options if not re.search(rf"\b{option}\b", text)]
    assert not untold
    assert set(part.bounds) | set(part.choices) | set(part.meta.get("probe", {})) <= set(part.options)
    assert not part.supplied


@every_method
def test_is_data_whose_shares_sum_to_one(part):
    method = part.fn()
    assert isinstance(method, Method)
    assert method == part.fn()
    assert sum(stage.share for stage in method.stages) == pytest.approx(1, abs=1e-12)
    assert all(stage.share > 0 for stage in method.stages)
    names = [stage.name for stage in method.stages]
    assert len(set(names)) == len(names)
    entries = [e for s in method.stages if isinstance(s.objective, tuple) for e in s.objective]
    assert all(isinstance(e, Entry) for e in entries)


@every_method
def test_every_part_that_it_names_is_there_and_accepts_its_options(part):
    exp = prepared({"name": part.name})
    assert exp.label == part.name
    assert len(exp.stages) == len(part.fn().stages)


@every_method
def test_the_recipe_of_its_paper_is_a_config(part):
    """Whole sections, known options, values in range; augmentation by parts that exist."""
    config = configs.plain(configs.base())
    for key, value in part.fn().recipe.items():
        configs.apply_set(config, f"{key}={value!r}")
    configs.check_fixed(config)
    for spec in config["data"].get("augment", ()):
        registry.bind("augment", spec)
    registry.bind("model", config["model"])


@pytest.mark.parametrize(("name", "option"), options.cases(PARTS))
def test_every_option_changes_the_method(name, option):
    part = registry.get("method", name)
    one, two = two_settings(part, option)
    specs = [registry.resolve("method", {"name": name, **given}) for given in (one, two)]
    here, there = (part.fn(**{k: v for k, v in spec.items() if k != "name"}) for spec in specs)
    assert here != there
    assert len({prepared(spec).identity for spec in specs}) == 2
