"""Help, overview, lists, doctor; what importing costs; the console script and the wheel."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from ltjax import config as configs
from ltjax import registry
from ltjax.cli import VERBS, main, parser_of
from ltjax.commands import doctor, specs
from ltjax.commands.list import KINDS

ROOT = Path(__file__).parents[2]


def test_no_verb_gives_an_overview_of_all_verbs(ltjax):
    outcome = ltjax()
    assert outcome.code == 0
    assert all(f"  {verb} " in outcome.out for verb in VERBS)
    assert ltjax("--help").out == outcome.out == ltjax("help").out
    assert len(outcome.out.splitlines()) < 25


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_every_verb_teaches_with_examples(verb, ltjax):
    outcome = ltjax(verb, "--help")
    assert outcome.code == 0
    examples = [line.strip() for line in outcome.out.splitlines() if line.startswith(f"  ltjax {verb}")]
    assert len(examples) >= 1
    assert ltjax("help", verb).out == outcome.out


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_has_a_word_of_help(verb):
    assert all(action.help for action in parser_of(verb)._actions)


def test_version_is_that_of_the_package(ltjax):
    import ltjax as package

    assert ltjax("--version").out == f"ltjax {package.__version__}\n"


def test_lists_show_every_part_with_summary_options_and_source(ltjax):
    kinds = ltjax("list").out
    assert all(kind in kinds for kind in KINDS)
    losses = ltjax("list", "losses").out
    assert losses == ltjax("list", "loss").out
    for name in registry.names("loss"):
        assert f"\n{name}\n" in losses
    assert "max_margin=0.5" in losses
    assert "arXiv:1906.07413" in losses


def test_every_kind_of_the_registry_is_listed():
    assert set(KINDS) == set(registry.PACKAGES)


def test_one_part_is_shown_with_its_docstring_and_what_its_options_accept(ltjax):
    text = ltjax("list", "loss", "ldam").out
    assert r"\Delta_j" in text
    assert "max_margin = 0.5    0 to" in text
    assert "test_logits = 'neither'" in text
    assert "ltjax/losses/ldam.py" in text
    assert text in ltjax("list", "ldam").out


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_can_be_shown_in_full(kind, ltjax):
    for name in registry.names(kind):
        outcome = ltjax("list", kind, name)
        assert outcome.code == 0
        assert f"{kind} {name}" in outcome.out


def test_configs_and_sets_are_listed_with_their_first_line(ltjax):
    text = ltjax("list", "configs").out
    assert all(name in text for name in configs.shipped())
    assert "@quickstart" in text


@pytest.mark.parametrize("name", specs.sets())
def test_every_set_names_methods_that_there_are(name):
    for asked in specs.method_specs(f"@{name}"):
        registry.bind("method", asked.spec)


@pytest.mark.parametrize("name", configs.shipped())
def test_every_config_of_the_library_holds_nothing_unknown(name):
    config = configs.load(f"{name}:smoke")
    configs.check_fixed(config)
    assert config["optim"]["epochs"] <= 2
    assert config["optim"]["lr"] is None
    for section, kind in {"data": "data", "model": "model", "method": "method"}.items():
        registry.resolve(kind, {k: v for k, v in config[section].items() if k != "augment"})


def test_doctor_tells_versions_devices_and_data(ltjax):
    outcome = ltjax("doctor")
    assert outcome.code == 0
    for fragment in ("jax ", "devices: 8 x cpu", "float32 products", "free for runs", "cifar10_lt not found",
                     "LTJAX_DATA", "No fault found."):
        assert fragment in outcome.out


def test_doctor_finds_a_package_that_does_not_fit(ltjax, monkeypatch):
    monkeypatch.setattr(doctor, "installed", lambda name: {"optax": "0.1.0", "einops": None}.get(name, "0.10.2"))
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: ["optax<0.3,>=0.2.8", "einops<1,>=0.8",
                                                                   "pytest>=8; extra == 'dev'"])
    outcome = ltjax("doctor")
    assert outcome.code == 1
    assert "optax 0.1.0 does not fit" in outcome.out
    assert "einops is not installed" in outcome.out
    assert "pytest" not in outcome.out


def test_a_fault_of_the_program_keeps_its_traceback(monkeypatch):
    from ltjax.commands import list as verb

    def fail(args):
        raise RuntimeError("a fault of the program")

    monkeypatch.setattr(verb, "run", fail)
    with pytest.raises(RuntimeError, match="a fault of the program"):
        main(["list"])


def test_an_error_shows_its_traceback_on_request(monkeypatch):
    monkeypatch.setenv("LTJAX_TRACEBACK", "1")
    with pytest.raises(registry.ConfigError):
        main(["trian"])


@pytest.mark.parametrize("code", ["import ltjax", "import ltjax.cli; ltjax.cli.main(['--help'])",
                                  "import ltjax.cli; ltjax.cli.main(['train', '--help'])"])
def test_importing_and_help_load_nothing_heavy(code):
    heavy = "jax", "flax", "numpy", "matplotlib", "sklearn", "tensorflow_datasets", "orbax"
    allowed = ("numpy",) if "train" in code else ()  # ml_collections may want it
    found = f"[m for m in {heavy} if m in sys.modules and m not in {allowed}]"
    check = f"{code}; import sys; print({found}, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == "[]\n"


def test_the_console_script_ends_with_the_code_of_the_verb():
    script = Path(sysconfig.get_path("scripts")) / "ltjax"
    done = subprocess.run([script, "trian"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_lazy_attributes_are_what_they_promise():
    import ltjax

    for name in ltjax.__all__:
        assert getattr(ltjax, name) is not None
    assert ltjax.losses.ce is registry.get("loss", "ce").fn
    assert set(ltjax.__all__) <= set(dir(ltjax))
    with pytest.raises(AttributeError, match="nothing"):
        _ = ltjax.nothing


@pytest.mark.parametrize("module", ["specs", "doctor"])
def test_examples_in_docstrings_hold(module):
    assert doctest.testmod(importlib.import_module(f"ltjax.commands.{module}")).failed == 0


@pytest.mark.parametrize("text", ["erm(posthoc=[logit_adjust(tau=1.5), tau_norm])", "erm(loss='focal', weights=none)"])
def test_parts_on_a_command_line_may_hold_parts_lists_and_words(text):
    spec = specs.parse_part(text, "--methods")
    assert spec in ({"name": "erm", "posthoc": [{"name": "logit_adjust", "tau": 1.5}, "tau_norm"]},
                    {"name": "erm", "loss": "focal", "weights": None})


@pytest.mark.parametrize("text", ["erm(1)", "erm(**x)", "a.b(c=1)", "erm(loss=lambda: 0)", "erm(loss=[x for x in y])",
                                  "erm(loss=f'{x}')", "erm(name=focal)", "(" * 500, "3", "'erm'", "erm(x=a.b)"])
def test_nothing_but_names_and_values_is_read_from_a_command_line(text):
    with pytest.raises(registry.ConfigError, match="--methods"):
        specs.parse_part(text, "--methods")


@pytest.mark.slow
def test_a_built_wheel_resolves_the_configs_and_sets(tmp_path):
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT]
    subprocess.run(build, check=True)
    wheel = next(tmp_path.glob("ltjax-*.whl"))
    with zipfile.ZipFile(wheel) as file:
        file.extractall(tmp_path / "site")
    code = ("from ltjax import config; from ltjax.commands import specs; c = config.load('digits_lt:ir=50'); "
            "print(c['data']['imbalance'], config.find('digits_lt'), specs.sets())")
    site = tmp_path / "site"
    done = subprocess.run([sys.executable, "-c", code], cwd=site, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("50.0 ")
    assert str(site / "ltjax" / "configs") in done.stdout
    assert "quickstart" in done.stdout
