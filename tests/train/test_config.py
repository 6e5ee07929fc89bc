"""`--set` lines: what they change, and what they cannot be."""

import pytest

from ltjax import config as configs
from ltjax.registry import ConfigError
from ltjax.train.prepare import prepare
from tests.train.setting import config

GOOD = [
    ("optim.epochs=20", ("optim", "epochs"), 20),
    ("config.optim.lr=0.2", ("optim", "lr"), 0.2),
    ("seed=7", ("seed",), 7),
    ("optim.schedule=cosine", ("optim", "schedule"), "cosine"),
    ("optim.schedule.name=cosine", ("optim", "schedule"), {"name": "cosine"}),
    ("method.name=crt", ("method",), {"name": "crt"}),
    ("method.loss.name=focal", ("method", "loss"), {"name": "focal"}),
    ("method.loss=None", ("method", "loss"), None),
    ("optim.nesterov=TRUE", ("optim", "nesterov"), True),
    ("model.hidden=(8, 4)", ("model", "hidden"), (8, 4)),
    ("optim.stages.head.lr=0.1", ("optim", "stages", "head"), {"lr": 0.1}),
    ("data.name=synthetic", ("data",), {"name": "synthetic", "augment": ("flip",)}),
    ("run.root=__import__('os').getcwd()", ("run", "root"), "__import__('os').getcwd()"),
]


@pytest.mark.parametrize(("line", "path", "value"), GOOD)
def test_a_line_sets_what_it_names(line, path, value):
    given = config(data__augment=("flip",), method={"name": "erm", "weights": "inverse"})
    configs.apply_set(given, line)
    found = given
    for step in path:
        found = found[step]
    assert found == value


BAD = {
    "optim.epochs": "must look like section.option=value",
    "=3": "must look like section.option=value",
    "optim=3": "name an option of optim",
    "optm.lr=3": r"'optm' is no section. Did you mean 'optim'\?",
    "plugins.x=1": "'plugins' is no section",
    "seed.x=3": "seed is a whole number and has no options",
    "optim.lr.x=3": "lr is 0.1, which has no options",
    "model.hidden.x=3": r"hidden is \(16,\), which has no options",
    "optim..lr=3": "config.optim. is unknown",
}


@pytest.mark.parametrize("line", BAD)
def test_a_bad_line_is_told_in_one_sentence(line):
    with pytest.raises(ConfigError, match=BAD[line]):
        configs.apply_set(config(optim__lr=0.1), line)


def test_a_list_of_one_rule_may_be_its_name():
    one, listed = (prepare(config(eval__posthoc=rule)) for rule in ("logit_adjust", ("logit_adjust",)))
    assert one.identity == listed.identity
    assert [part.name for part, _ in one.posthoc] == ["logit_adjust"]


def test_the_precedence_of_optimiser_options_is_library_method_config_stage():
    given = config(method={"name": "crt"}, optim__epochs=10)
    lr = [stage.optim["lr"] for stage in prepare(given).stages]
    schedule = [stage.optim["schedule"]["name"] for stage in prepare(given).stages]
    assert (lr, schedule) == ([0.1, 0.1], ["steps", "cosine"])
    configs.apply_set(given, "optim.lr=0.5")
    configs.apply_set(given, "optim.stages.head.lr=0.7")
    assert [stage.optim["lr"] for stage in prepare(given).stages] == [0.5, 0.7]
