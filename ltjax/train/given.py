"""What a caller hands to a run in place of its own draws, checked first: initial tensors, rows, random numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ltjax.config import identity
from ltjax.registry import ConfigError, Part, nearest
from ltjax.train.experiment import Experiment, ReadyStage
from ltjax.train.program import network_of
from ltjax.train.state import check_tensors, drawn_anew, flat
from ltjax.types import Context


class Given:
    """A plan, partners and draws that replace the library's own.

    `plan` and `other` are int32 [batches, batch] or None, `draws` is part -> name -> [batches, ...]; a run has one
    batch per step, or `accumulate` of them where gradients are accumulated.
    """

    def __init__(self, exp: Experiment, plan=None, other=None, draws=None):
        self.plan = None if plan is None else _rows("plan", plan, exp)
        self.batch = exp.batch if self.plan is None else self.plan.shape[1]
        if self.plan is not None and (empty := np.flatnonzero((self.plan < 0).all(1))).size:
            raise ConfigError(f"plan: {_step(exp, empty[0])} has only empty slots (-1); give it at least one row.")
        self.other = None if other is None else self._partners(exp, other)
        self.draws = {} if draws is None else _draws(exp, draws, self.batch)

    def _partners(self, exp: Experiment, other) -> np.ndarray:
        if not any(stage.partner for stage in exp.stages):
            raise ConfigError("other: no stage of this method has partners; name a mixer or a second sampler, or leave "
                              "it out.")
        rows = _rows("other", other, exp)
        if rows.shape[1] != self.batch:
            raise ConfigError(f"other: expected one partner for each of a batch's {self.batch} rows, got "
                              f"{rows.shape[1]} in a row.")
        return rows

    @property
    def masked(self) -> bool:
        return any(rows is not None and bool((rows < 0).any()) for rows in (self.plan, self.other))

    def drawn_in(self, stage: ReadyStage) -> dict[str, dict[str, np.ndarray]]:
        """The draws of a stage's own parts; those of losses keep an axis of calls, those of mixers have none."""
        names = {e.part.name for e in stage.entries} | ({stage.mixer[0].name} if stage.mixer else set())
        return {part: named for part, named in self.draws.items() if part in names}


def remembered(exp: Experiment, handed: Mapping[str, Any]) -> Experiment:
    """The experiment whose identity knows what was handed in: such a run is another than the ordinary one."""
    if all(value is None for value in handed.values()):
        return exp
    digest = hashlib.sha256()
    leaves = {jax.tree_util.keystr(p): np.asarray(a) for p, a in jax.tree_util.tree_leaves_with_path(dict(handed))}
    for path, array in sorted(leaves.items()):
        digest.update(f"{path} {array.dtype} {array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    config = {**exp.config, "handed": digest.hexdigest()[:16]}
    return replace(exp, config=config, identity=identity(config))


# rows --------------------------------------------------------------------------------------------------------------

def _batches(exp: Experiment) -> int:
    return sum(s.steps * s.optim["accumulate"] for s in exp.stages)


def _step(exp: Experiment, number: int) -> str:
    """Which step the batch of a number belongs to, in words."""
    for stage in exp.stages:
        micro = stage.optim["accumulate"]
        if number < stage.steps * micro:
            step, part = divmod(int(number), micro)
            return f"step {stage.offset + step}" + (f" (batch {part + 1} of {micro})" if micro > 1 else "")
        number -= stage.steps * micro
    raise IndexError(number)


def _rows(name: str, given, exp: Experiment) -> np.ndarray:
    rows, count = _array(given), _batches(exp)
    if rows.ndim != 2 or len(rows) != count or not rows.shape[1] or rows.dtype.kind not in "iu":
        each = "step" if count == exp.steps else "batch of each step"
        raise ConfigError(f"{name}: expected whole numbers of shape [{count}, batch], one row per {each}, got "
                          f"{rows.dtype} of shape {rows.shape}.")
    bad = np.argwhere((rows < -1) | (rows >= exp.rows))
    if len(bad):
        number, place = bad[0]
        raise ConfigError(f"{name}: row {rows[number, place]} at {_step(exp, number)} is out of range; the training "
                          f"split has rows 0 to {exp.rows - 1} (and -1 for an empty slot).")
    return rows.astype(np.int32)


def _array(values) -> np.ndarray:
    """The values as an array; ragged lists are an array of no numbers."""
    try:
        return np.asarray(values)
    except ValueError:
        return np.asarray(None)


# draws -------------------------------------------------------------------------------------------------------------

def _draws(exp: Experiment, draws, batch: int) -> dict[str, dict[str, np.ndarray]]:
    """Part -> name -> one finite entry per batch, of the shape that the part draws."""
    shapes = _drawn_shapes(exp, batch)
    if not isinstance(draws, Mapping) or not all(isinstance(named, Mapping) for named in draws.values()):
        raise ConfigError("draws must be a dict of dicts, such as draws={'mixup': {'ratio': [...]}}, with one entry "
                          "per batch.")
    out: dict[str, dict[str, np.ndarray]] = {}
    for part, named in draws.items():
        if part not in shapes:
            raise ConfigError(f"draws[{part!r}]: no part of this method draws under that name. "
                              f"{nearest(part, shapes)}Parts that draw: {', '.join(sorted(shapes)) or 'none'}.")
        wanted = shapes[part]
        for name in (*named, *(n for n in wanted if n != "on")):
            if name not in wanted or name not in named:
                what = "is unknown" if name not in wanted else "is missing"
                raise ConfigError(f"draws[{part!r}][{name!r}] {what}. {nearest(name, wanted)}"
                                  f"{part!r} draws {', '.join(wanted)}.")
        out[part] = {name: _checked(f"draws[{part!r}][{name!r}]", values, wanted[name], exp)
                     for name, values in named.items()}
    return out


def _checked(where: str, values, shape: tuple[int, ...], exp: Experiment) -> np.ndarray:
    array, count = _array(values), _batches(exp)
    if not (jnp.issubdtype(array.dtype, jnp.number) or array.dtype.kind == "b") or not array.ndim:
        raise ConfigError(f"{where} must be an array of numbers with one entry per batch.")
    if len(array) != count:
        raise ConfigError(f"{where} has {len(array)} entries for {count} batches; give one per batch.")
    calls = array[:, : shape[0]] if len(shape) == 3 and array.ndim == 4 else array  # more calls than are made are fine
    if calls.shape[1:] != shape:
        raise ConfigError(f"{where}: an entry has shape {array.shape[1:]}, expected {shape}"
                          f"{', a draw for each call of the loss' if len(shape) == 3 else ''}.")
    if not np.isfinite(array).all():
        number = np.argwhere(~np.isfinite(array))[0][0]
        raise ConfigError(f"{where} holds values that are not finite, the first at {_step(exp, number)}.")
    return array


def _drawn_shapes(exp: Experiment, batch: int) -> dict[str, dict[str, tuple[int, ...]]]:
    """Part -> name -> shape of what it draws for a batch: of losses [calls, batch, columns], of mixers their own."""
    shapes: dict[str, dict[str, tuple[int, ...]]] = {}
    for stage in exp.stages:
        if stage.mixer:
            shapes.setdefault(stage.mixer[0].name, _mixer_shapes(exp, *stage.mixer, batch))
        for part in (e.part for e in stage.entries if e.part.meta.get("draws")):
            known = shapes.get(part.name, {})
            shape = (2 if stage.mixer else 1, batch, _columns(exp, stage))
            shapes[part.name] = {name: max(known.get(name, shape), shape) for name in part.meta["draws"]}
    return shapes


def _mixer_shapes(exp: Experiment, part: Part, options: dict[str, Any], batch: int) -> dict[str, tuple[int, ...]]:
    rows = {"x": jax.ShapeDtypeStruct((batch, *exp.dataset.train["x"].shape[1:]), jnp.float32),
            **dict.fromkeys(("label", "index"), jax.ShapeDtypeStruct((batch,), jnp.int32)),
            "mask": jax.ShapeDtypeStruct((batch,), jnp.float32)}

    def drawn(rows):
        key = jax.random.key(0)
        ctx = Context(exp.stats, key=key, extra={"micro_step": 0, "epochs": 1})
        return part.fn(**options).draw(key, {**rows, "other": rows}, ctx)

    return {name: value.shape for name, value in jax.eval_shape(drawn, rows).items()}


def _columns(exp: Experiment, stage: ReadyStage) -> int:
    """How many logits an example has."""
    x = jax.ShapeDtypeStruct((1, *exp.dataset.train["x"].shape[1:]), jnp.float32)
    return jax.eval_shape(network_of(exp, stage).apply, _variables(exp, stage), x)["logits"].shape[-1]


# initial tensors ---------------------------------------------------------------------------------------------------

def _variables(exp: Experiment, stage: ReadyStage):
    """Shapes of a stage's parameters and statistics; nothing is compiled."""
    network, shape = network_of(exp, stage), (1, *exp.dataset.train["x"].shape[1:])
    dtype = jnp.float64 if exp.float64 else jnp.float32
    return jax.eval_shape(lambda: dict(network.init(jax.random.key(0), jnp.zeros(shape, dtype))))


def checked_init(exp: Experiment, init) -> Sequence[Mapping[str, Any] | None]:
    """One overlay per stage, each checked against its stage's network before the first stage is trained."""
    if init is None:
        return [None] * len(exp.stages)
    if isinstance(init, Mapping) or not all(given is None or isinstance(given, Mapping) for given in init):
        raise ConfigError("init must be a list with one dict of tensors (or None) per stage, such as "
                          "init=[{'head/bias': array}].")
    if len(init) != len(exp.stages):
        raise ConfigError(f"init has {len(init)} entries, the method has {len(exp.stages)} stages.")
    before: dict[str, Any] = {}
    for stage, given in zip(exp.stages, init):
        shapes = _variables(exp, stage)
        params = flat(shapes.pop("params"))
        names = flat(given) if given else {}
        where = f"init of stage {stage.name!r}"
        check_tensors(names, {**params, **flat(shapes)}, where)
        fresh = drawn_anew(params, before, stage.reset) if before else set()
        left = sorted(fresh - names.keys())
        if left and fresh & names.keys():
            raise ConfigError(f"{where}: without {', '.join(map(repr, left))}, which starts anew here as "
                              f"{min(fresh & names.keys())!r} does; give all that starts anew, or none of it.")
        before = params
    return init
