"""From a config to an experiment: every name, option, share and guard is checked before anything compiles."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from ltjax import config as configs
from ltjax import registry
from ltjax.methods.base import Entry, Method, Stage
from ltjax.optim.schedules import rates
from ltjax.options import LIBRARY, METHOD_HABITS
from ltjax.registry import ConfigError
from ltjax.train.experiment import Experiment, ReadyEntry, ReadyStage, share, shares_to_steps
from ltjax.train.meaning import meaning_of
from ltjax.train.record import label, listed, record
from ltjax.train.state import check_regex
from ltjax.types import ClassStats


def prepare(given: Mapping[str, Any], *, steps_per_epoch=None, recipes: bool = False) -> Experiment:
    """Checks a config and loads its data; nothing is compiled. Raises `ConfigError` or `FileNotFoundError`."""
    config: dict[str, Any] = copy.deepcopy(configs.plain(given))
    method_spec = registry.resolve("method", config["method"], "config.method")
    method = _method(method_spec)
    if recipes:
        for key, value in method.recipe.items():
            configs.apply_set(config, f"{key}={value!r}")
    configs.check_fixed(config)
    augment = config["data"].pop("augment", ())
    data_part, data_options = registry.bind("data", config["data"], "config.data")
    config["data"] = {"name": data_part.name, **data_options}
    model = registry.bind("model", config["model"], "config.model")
    config["model"] = {"name": model[0].name, **model[1]}
    config["method"] = method_spec
    dataset = _dataset(data_part, data_options)
    labels = np.asarray(dataset.train["label"])
    stats = ClassStats(np.bincount(labels, minlength=dataset.classes), data_options.get("prior_smoothing", 0.0))
    stages = _stages(method, config, stats, len(labels), augment, steps_per_epoch)
    meaning = meaning_of(stages[-1], stats, labels, config)
    posthoc = _posthoc(method, config, meaning, dataset)
    if config["eval"]["network"] == "ema" and "ema" not in stages[-1].networks:
        raise ConfigError("config.eval.network='ema' needs an averaged network: set optim.ema, such as 0.999.")
    if config["eval"]["select"] == "best_val" and dataset.val is None:
        raise ConfigError("config.eval.select='best_val' needs a validation split: set data.val_per_class, "
                          "or keep eval.select='last'.")
    if config["eval"]["select"] == "best_val" and not config["eval"]["every_epochs"]:
        raise ConfigError("config.eval.select='best_val' needs validations; eval.every_epochs=0 makes none.")
    told = record(config, augment, stages, posthoc)
    return Experiment(told, configs.identity(told), label(method_spec), dataset, stats, model, stages, posthoc,
                      meaning, len(labels))


_datasets: dict[tuple[str, str], Any] = {}


def _dataset(part: registry.Part, options: dict[str, Any]):
    """The data; sets that follow from their options alone are kept, so that comparing methods loads them once."""
    if not part.meta.get("fixed"):
        return part.fn(**options)
    key = (part.name, configs.canonical(options))
    if key not in _datasets:
        if len(_datasets) >= 2:
            _datasets.pop(next(iter(_datasets)))
        _datasets[key] = part.fn(**options)
    return _datasets[key]


def _method(spec: dict[str, Any]) -> Method:
    part, options = registry.bind("method", spec, "config.method")
    method = part.fn(**options)
    total = sum(s.share for s in method.stages)
    if abs(total - 1) > 1e-9:
        shares = ", ".join(f"{s.name}={s.share:g}" for s in method.stages)
        raise ConfigError(f"config.method {part.name!r}: the shares of its stages must sum to 1, got {shares} "
                          f"(sum {total:g}).")
    return method


def _stages(method, config, stats, rows, augment, steps_per_epoch) -> tuple[ReadyStage, ...]:
    batch, epochs = config["optim"]["batch"], config["optim"]["epochs"]
    names = [stage.name for stage in method.stages]
    for name in config["optim"]["stages"]:
        if name not in names:
            raise ConfigError(f"config.optim.stages.{name}: the method has no such stage. "
                              f"{registry.nearest(name, names)}Its stages: {', '.join(names)}.")
    if steps_per_epoch is None:
        if batch > rows:
            raise ConfigError(f"config.optim.batch={batch} is larger than the training split ({rows} rows); "
                              f"at most {rows} fits.")
        lengths, left = [], epochs
        for k, stage in enumerate(method.stages):
            own = left if k == len(method.stages) - 1 else round(stage.share * epochs)
            left -= own
            if own < 1:
                raise ConfigError(f"config.optim.epochs={epochs}: stage {stage.name!r} with a share of "
                                  f"{stage.share:g} gets no whole epoch. Train longer or enlarge its share.")
            lengths.append(own)
    elif not _is_list(steps_per_epoch) or not all(map(_is_list, steps_per_epoch)):
        raise ConfigError(f"steps_per_epoch={steps_per_epoch!r} must be a list with one list of step counts per stage, "
                          "such as [[10, 10], [5]].")
    elif len(steps_per_epoch) != len(method.stages):
        raise ConfigError(f"steps_per_epoch has {len(steps_per_epoch)} entries, the method has "
                          f"{len(method.stages)} stages; give one list of step counts per stage.")
    out: list[ReadyStage] = []
    for k, stage in enumerate(method.stages):
        optim = _optim(stage, config)
        per_epoch = max(rows // (batch * optim["accumulate"]), 1)
        epoch_steps = (per_epoch,) * lengths[k] if steps_per_epoch is None else _steps(steps_per_epoch[k], k)
        out.append(_stage(stage, k, method, optim, epoch_steps, out[-1] if out else None, stats, augment))
    return tuple(out)


def _is_list(value) -> bool:
    return isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _steps(given, number: int) -> tuple[int, ...]:
    if not len(given) or not all(isinstance(n, int | np.integer) and n is not True and n > 0 for n in given):
        raise ConfigError(f"steps_per_epoch[{number}]={given} must be a list of positive whole numbers.")
    return tuple(int(n) for n in given)


def _optim(stage: Stage, config) -> dict[str, Any]:
    """Library < the stage's habits < `optim` < `optim.stages`; a schedule named anew drops the old one's options."""
    known = METHOD_HABITS
    for key in stage.optim:
        if key not in known:
            raise ConfigError(f"stage {stage.name!r}: optim.{key} is unknown. {registry.nearest(key, known)}"
                              f"Known: {', '.join(known)}.")
    given = {k: config["optim"][k] for k in known if config["optim"][k] is not None}
    own = config["optim"]["stages"].get(stage.name, {})
    optim = {**{k: LIBRARY["optim"][k] for k in known}, **stage.optim, **given, **own}
    optim["schedule"] = registry.resolve("schedule", optim["schedule"], "config.optim.schedule")
    registry.get("optimizer", optim["name"], "config.optim")
    return optim


def _stage(stage: Stage, index, method, optim, epoch_steps, before, stats, augment) -> ReadyStage:
    steps, where = sum(epoch_steps), f"stage {stage.name!r}"
    if stage.batchnorm not in ("batch", "running"):
        raise ConfigError(f"{where}: batchnorm={stage.batchnorm!r} must be 'batch' or 'running'.")
    schedule, options = registry.bind("schedule", optim["schedule"], "config.optim.schedule")
    patterns = [("train", stage.train), ("reset", stage.reset or ""), ("optim.decay", optim["decay"])]
    for name, pattern in patterns + [("optim.groups", pattern) for pattern, _ in optim["groups"]]:
        check_regex(f"{where}: {name}", pattern)
    views = stage.views if stage.views is not None else (augment,)
    ready = ReadyStage(
        index=index, name=stage.name,
        head=registry.resolve("head", stage.head or method.head, f"{where}.head"),
        epoch_steps=epoch_steps,
        offset=before.offset + before.steps if before else 0,
        first_epoch=before.first_epoch + len(before.epoch_steps) if before else 0,
        entries=_entries(stage, where, steps, stats),
        sampler=registry.resolve("sampler", stage.sampler, f"{where}.sampler"),
        other=registry.resolve("sampler", stage.other, f"{where}.other") if stage.other is not None else None,
        mixer=registry.bind("mixer", _in_steps(stage.mixer, steps), f"{where}.mixer") if stage.mixer else None,
        views=tuple(tuple(_augment(a, where) for a in listed(view)) for view in views),
        gradient=registry.bind("gradient", stage.gradient, f"{where}.gradient"),
        project=registry.bind("project", stage.project, f"{where}.project") if stage.project else None,
        learner=registry.bind("learner", stage.learner, f"{where}.learner") if stage.learner else None,
        networks={**({"ema": optim["ema"]} if optim["ema"] else {}), **stage.networks},
        train=stage.train, reset=stage.reset, batchnorm=stage.batchnorm,
        optim=optim, rates=rates(schedule, options, optim["lr"], np.repeat(np.arange(len(epoch_steps)), epoch_steps)),
    )
    for entry in ready.entries:
        _check_entry(entry, ready, where)
    _check_networks(ready.networks, where)
    if ready.learner and (ready.other is None or optim["accumulate"] > 1):
        raise ConfigError(f"{where}: learner {ready.learner[0].name!r} is taught by a second sampler's rows and takes "
                          "one batch per step; give the stage other=dict(name=...) and optim.accumulate=1.")
    if ready.mixer and ready.partner == "sampler" and ready.other is None:
        raise ConfigError(f"{where}: mixer {ready.mixer[0].name!r} takes its partners from a second sampler; "
                          "give the stage other=dict(name=...).")
    return ready


def _entries(stage: Stage, where: str, steps: int, stats) -> tuple[ReadyEntry, ...]:
    objective = stage.objective
    if isinstance(objective, str | Mapping):
        objective = (Entry(objective),)
    out: list[ReadyEntry] = []
    for entry in objective:
        spec = {"name": entry.part} if isinstance(entry.part, str) else dict(entry.part)
        kind = "term" if spec.get("name") in registry.names("term") else "loss"
        part, options = registry.bind(kind, spec, f"{where}.objective")
        table, weights_after = None, 0
        if entry.weights is not None:
            weights = {"name": entry.weights} if isinstance(entry.weights, str) else dict(entry.weights)
            weights_after = share(weights.pop("after", 0.0), steps, f"{where}.weights.after")
            w_part, w_options = registry.bind("weights", weights, f"{where}.weights")
            table = np.asarray(w_part.fn(stats=stats, **w_options), np.float64)
        if entry.normaliser not in ("batch", "weight_sum") or entry.pairs not in ("joint", "each"):
            raise ConfigError(f"{where}: normaliser={entry.normaliser!r} must be 'batch' or 'weight_sum' and "
                              f"pairs={entry.pairs!r} 'joint' or 'each'.")
        same = sum(e.part.name == part.name for e in out)
        out.append(ReadyEntry(
            f"{part.name}_{same + 1}" if same else part.name, part, shares_to_steps(options, steps), entry.weight,
            table, weights_after, entry.normaliser, entry.pairs, entry.views,
            share(entry.after, steps, f"{where}.after"), share(entry.until, steps, f"{where}.until")))
    if not out:
        raise ConfigError(f"{where}: the objective is empty; name at least one loss.")
    return tuple(out)


def _check_entry(entry: ReadyEntry, stage: ReadyStage, where: str) -> None:
    meta = entry.part.meta
    if stage.mixer and not entry.is_loss and meta.get("value", "example") != "example" and not meta.get("reads_mix"):
        raise ConfigError(f"{where}: term {entry.part.name!r} is not per example and does not read a mixed batch; "
                          f"train it without mixer {stage.mixer[0].name!r}.")
    if entry.table is not None and not entry.is_loss and meta.get("value", "example") != "example":
        raise ConfigError(f"{where}: term {entry.part.name!r} is not per example; it takes no class weights.")
    if meta.get("own_weight") and entry.normaliser != "batch":
        raise ConfigError(f"{where}: {entry.part.kind} {entry.part.name!r} takes its weights inside; its normaliser is "
                          "'batch'.")
    for need in meta.get("needs", ()):
        if need == "views" and len(stage.views) < 2:
            raise ConfigError(f"{where}: term {entry.part.name!r} needs at least two views; the stage has one.")
        if need in ("ema", "teacher") and need not in stage.networks:
            raise ConfigError(f"{where}: term {entry.part.name!r} needs networks=dict({need}=...) in its stage.")
    if entry.views and max(entry.views) >= len(stage.views):
        raise ConfigError(f"{where}: entry {entry.name!r} names view {max(entry.views)}; the stage has "
                          f"{len(stage.views)}.")


def _check_networks(networks, where: str) -> None:
    for name in networks:
        if name not in ("ema", "teacher"):
            raise ConfigError(f"{where}: networks: {name!r} is unknown. {registry.nearest(name, ('ema', 'teacher'))}"
                              "Known: ema (a decay), teacher (a run folder).")
    if "ema" in networks and not 0 <= networks["ema"] < 1:
        raise ConfigError(f"{where}: networks: ema={networks['ema']} must be a decay from 0 on and below 1.")


def _augment(spec, where):
    part, options = registry.bind("augment", spec, f"{where}.augment")
    return part, options


def _in_steps(spec, steps: int):
    """A part's spec with its shares as integer steps, which is how its own options are typed."""
    return shares_to_steps(dict(spec), steps) if isinstance(spec, Mapping) else spec


def _posthoc(method, config, meaning, dataset):
    rules = tuple(registry.bind("posthoc", spec, "config.eval.posthoc")
                  for spec in (*method.posthoc, *listed(config["eval"]["posthoc"])))
    for part, _ in rules:
        needs = part.meta.get("needs")
        if needs and needs != meaning and not config["eval"]["force"]:
            raise ConfigError(f"config.eval.posthoc {part.name!r} needs logits that mean {needs!r}, but the last stage "
                              f"trains {meaning!r} logits: it would adjust twice. Remove the rule, train with "
                              "cross-entropy on the natural distribution, or set eval.force=true to do it on purpose.")
        meaning = "balanced" if needs == "train_posterior" else meaning
        if part.meta.get("fit_on") == "val" and dataset.val is None:
            raise ConfigError(f"config.eval.posthoc {part.name!r} is fitted on a validation split; set "
                              "data.val_per_class (digits: 2 or more).")
    return rules
