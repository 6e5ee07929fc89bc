"""Training trajectories: reading the golden runs and the values that they start from."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
FOLDER = Path(os.environ.get("LTJAX_GOLDEN") or HERE.parent / "golden")
FAMILY = "trajectory"


@dataclass(frozen=True, eq=False)
class Case:
    """One run: what it was given, and what came out of it."""

    key: str
    name: str
    inputs: dict[str, Any]
    params: dict[str, Any]
    expected: dict[str, Any]

    @property
    def id(self) -> str:
        return f"{self.key}-{self.name}"

    @property
    def plan(self) -> np.ndarray:
        return np.asarray(self.inputs["plan"], np.int64)

    @property
    def stages(self) -> list[dict[str, Any]]:
        return self.inputs["stages"]

    @property
    def head(self) -> dict[str, Any]:
        """The library's spec of the head that the run starts with."""
        scale = {"scale": self.params["head_scale"]} if "head_scale" in self.params else {}
        return {"name": self.inputs["head"], **scale}

    @property
    def columns(self) -> int:
        """Outputs of the head beside the classes."""
        return self.inputs["tensors"]["head/kernel"][-1] - len(self.inputs["class_counts"])

    def steps_of(self, stage: dict[str, Any]) -> int:
        return stage["to_step"] - stage["from_step"]

    def epoch_steps(self, stage: dict[str, Any]) -> list[int]:
        """Steps of each epoch; a run that is scheduled per step has one epoch."""
        return stage.get("steps_per_epoch") or [self.steps_of(stage)]

    def segments(self, stage: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
        """(first step within the stage, objective) for every stretch of a stage with one objective."""
        if "segments" not in stage:
            return [(0, stage["objective"])]
        return [(s["from_step"] - stage["from_step"], s["objective"]) for s in stage["segments"]]


def load(folder: Path = FOLDER) -> list[Case]:
    """Every trajectory below a folder, file by file."""
    found = []
    for path in sorted(folder.rglob("train_*.json")):
        content = json.loads(path.read_text())
        if content.get("family", FAMILY) == FAMILY:
            found += [Case(content["key"], c["name"], c["inputs"], c.get("params", {}), c["expected"])
                      for c in content["cases"]]
    return found


def library_path(name: str) -> str:
    """A tensor's path in the library: the trunk's tensors stand under `trunk/`, LWS has one `head/scale`."""
    path = name if name.startswith("head/") else f"trunk/{name}"
    return "head/scale" if path == "head/scales" else path


def drawn(tensors: dict[str, list[int]], seed: int) -> dict[str, np.ndarray]:
    """Initial tensors from one stream of normal numbers, in the order given.

    Kernels have variance 2 / fan_in, those of heads 1 / fan_in; biases are small, BatchNorm scales close to 1.
    """
    normal, values = np.random.RandomState(seed), {}
    for name, shape in tensors.items():
        z = normal.randn(*shape)
        layer, _, kind = name.rpartition("/")
        if kind == "kernel":
            values[name] = z * math.sqrt((1 if layer.startswith("head") else 2) / math.prod(shape[:-1]))
        else:
            values[name] = 1 + 0.1 * z if kind == "scale" else 0.1 * z
    return values


def overlays(case: Case) -> list[dict[str, np.ndarray]]:
    """What each stage starts from beside the tensors that it keeps: path -> values."""
    first = drawn(case.inputs["tensors"], case.inputs["init_seed"])
    total = np.concatenate([v.ravel() for v in first.values()])
    np.testing.assert_allclose([total.sum(), np.abs(total).sum()], case.inputs["init_check"], rtol=1e-9)
    out = [first]
    for stage in case.stages[1:]:
        fresh: dict[str, np.ndarray] = {}
        if "reset" in stage:
            shapes = {n: s for n, s in case.inputs["tensors"].items() if n.rpartition("/")[0] in stage["reset"]}
            fresh |= drawn(shapes, stage["reset_seed"])
        for name, how in stage.get("new", {}).items():
            fresh[name] = _constant(how, case)
        out.append(fresh)
    return [{library_path(name): value for name, value in overlay.items()} for overlay in out]


def _constant(how: Any, case: Case) -> np.ndarray:
    """`ones [10]`, `zeros [1,10]`, `0.1 everywhere [features,1]`, or the numbers themselves."""
    if not isinstance(how, str):
        return np.asarray(how, np.float64)
    words, _, shape = how.partition("[")
    value = {"ones": 1.0, "zeros": 0.0}.get(words.split()[0])
    width = case.inputs["tensors"]["head/kernel"][0]
    sizes = [width if s.strip() == "features" else int(s) for s in shape.rstrip("]").split(",")]
    sizes = sizes[1:] if sizes[0] == 1 and len(sizes) > 1 else sizes
    return np.full(sizes, float(words.split()[0]) if value is None else value)
