"""One adapter per golden key: the case's parameters -> the options of a method of the library.

Every adapter returns a `Recipe`. Stage boundaries, class weights and deferral are read from the case's stages.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ltjax import registry

from . import rules
from .cases import Case


@dataclass(frozen=True)
class Recipe:
    """A method's spec, and the draws and partner rows that replace the library's own.

    Attributes:
      skip: fields of `expected` that are not compared, each for a stated reason.
      state: what the run ends with -> values of `expected.state`, by name.
    """

    method: dict[str, Any]
    draws: dict[str, dict[str, np.ndarray]] | None = None
    other: np.ndarray | None = None
    skip: tuple[str, ...] = ()
    state: Callable[[Any], dict[str, Any]] | None = None
    metrics: dict[str, str] = field(default_factory=dict)


ADAPTERS: dict[str, Callable[[Case], Recipe]] = {}


def adapter(key: str):
    def add(f):
        ADAPTERS[key] = f
        return f

    return add


# what several keys share -----------------------------------------------------------------------------------------


def method(name: str, **options) -> dict[str, Any]:
    return {"name": name, **options}


def with_head(case: Case, spec: dict[str, Any]) -> dict[str, Any]:
    """The method's spec with the case's head, where it is not the one that the method has by itself."""
    own = registry.get("method", spec["name"]).options.get("head")
    return {**spec, "head": case.head} if own is not None and case.head != {"name": own} else spec


def only_stage(case: Case) -> dict[str, Any]:
    assert len(case.stages) == 1, f"{case.id} has {len(case.stages)} stages"
    return case.stages[0]


def losses(case: Case, stage: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """(first step, loss spec) of a stage, one entry per change of the loss."""
    out: list[tuple[int, dict[str, Any]]] = []
    for first, objective in case.segments(stage):
        spec = rules.loss(objective)
        if not out or out[-1][1] != spec:
            out.append((first, spec))
    return out


def one_loss(case: Case, stage: dict[str, Any]) -> dict[str, Any]:
    found = losses(case, stage)
    assert len(found) == 1, f"{case.id} changes its loss: {found}"
    return found[0][1]


def plain_ce(case: Case, stage: dict[str, Any]) -> None:
    """A stage of unweighted cross-entropy, which needs no option."""
    assert one_loss(case, stage) == {"name": "ce"}
    assert deferral(case, stage) == (1.0, None, "batch")


def deferral(case: Case, stage: dict[str, Any]) -> tuple[float, dict[str, Any] | None, str]:
    """(share of the stage without class weights, weights spec, normaliser); (1, None, batch) without weights."""
    steps = case.steps_of(stage)
    for first, objective in case.segments(stage):
        spec = rules.weights(objective)
        if spec is not None:
            assert all(rules.weights(o) == spec for f, o in case.segments(stage) if f >= first)
            return first / steps, spec, objective["normaliser"]
    return 1.0, None, "batch"


def effective(case: Case, stage: dict[str, Any], normaliser: str | None = None) -> dict[str, Any]:
    """Options `after` and `beta` of a method with deferred effective-number weights."""
    after, spec, own = deferral(case, stage)
    if spec is None:
        return {"after": 1.0}
    assert spec["name"] == "effective_number"
    assert normaliser in (None, own), f"{case.id}: the method divides by {normaliser}, the case by {own}"
    return {"after": after, "beta": spec["beta"]}


def partners(case: Case) -> np.ndarray:
    """Rows that each batch is blended with: the batch's own, permuted where the case says so."""
    plan, permutations = case.plan, case.inputs["mix"]["perm"]
    blended = [row[np.asarray(p)] for row, p in zip(plan, permutations)]
    return np.concatenate([blended, plan[len(blended):]]) if len(blended) < len(plan) else np.asarray(blended)


def ratios(case: Case) -> np.ndarray:
    """The ratio of each batch; 1 for those of a later stage without a mixer."""
    out = np.ones(len(case.plan))
    given = case.inputs["mix"]["lam"]
    out[: len(given)] = given
    return out


# one stage -------------------------------------------------------------------------------------------------------


@adapter("train_cross_entropy")
def cross_entropy(case):
    plain_ce(case, only_stage(case))
    return Recipe(method("erm"))


@adapter("train_accumulate_clip_cosine")
def accumulate_clip_cosine(case):
    plain_ce(case, only_stage(case))
    clip = only_stage(case).get("clip_global_norm", np.inf)

    def state(result):
        return {"clipped_steps": sum(row["grad_norm"] + 1e-6 > clip for row in result.history)}

    return Recipe(method("erm"), state=state)


@adapter("train_weighted_cross_entropy")
def weighted_cross_entropy(case):
    stage = only_stage(case)
    after, spec, normaliser = deferral(case, stage)
    last = losses(case, stage)[-1][1]
    assert spec is not None
    if spec["name"] != "effective_number":
        return Recipe(method("erm", loss=last, weights={**spec, "after": after}, normaliser=normaliser))
    options = {"loss": last, "beta": spec["beta"], "normaliser": normaliser}
    return Recipe(method("drw", after=after, **options) if after else method("class_balanced_loss", **options))


@adapter("train_focal")
def focal(case):
    stage = only_stage(case)
    spec, (after, weights, normaliser) = one_loss(case, stage), deferral(case, stage)
    if weights is None:
        return Recipe(method("focal", gamma=spec["gamma"]))
    assert weights["name"] == "effective_number"
    return Recipe(method("drw", loss=spec, after=after, beta=weights["beta"], normaliser=normaliser))


@adapter("train_ldam_drw")
def ldam_drw(case):
    stage = only_stage(case)
    spec = one_loss(case, stage)
    return Recipe(method("ldam_drw", max_margin=spec["max_margin"], scale=spec["scale"],
                         **effective(case, stage, "weight_sum")))


@adapter("train_balanced_softmax")
def balanced_softmax(case):
    assert one_loss(case, only_stage(case)) == {"name": "balanced_softmax"}
    return Recipe(method("balanced_softmax"))


@adapter("train_logit_adjusted_loss")
def logit_adjusted_loss(case):
    spec = one_loss(case, only_stage(case))
    # the reference adds the squares to its loss, so that its gradient holds a part of the decay; ours never does
    skip = ("grad_norm",) if case.params.get("l2_in_loss") else ()
    return Recipe(method("logit_adjusted", tau=spec["tau"], epsilon=spec["epsilon"]), skip=skip)


@adapter("train_sam")
def sam(case):
    assert not case.params["adaptive"]
    # the norm of the first gradient is no metric of the library; every later loss depends on it
    return Recipe(method("sam", rho=case.params["rho"], loss=one_loss(case, only_stage(case))),
                  skip=("grad_norm_first",))


@adapter("train_mixup")
def mixup(case):
    plain_ce(case, only_stage(case))
    return Recipe(method("mixup", alpha=case.params["alpha"]), {"mixup": {"ratio": ratios(case)}}, partners(case))


@adapter("train_remix")
def remix(case):
    stage = only_stage(case)
    objective = case.segments(stage)[0][1]
    assert all(o["mixer"] == "remix" for _, o in case.segments(stage))
    options = {name: float(objective[name]) for name in ("kappa", "tau")}
    # the reference runs the clean batch first, only to measure accuracy: `mixed_only` is the run without that
    return Recipe(method("remix", loss=one_loss(case, stage), alpha=case.params["alpha"], **options,
                         **effective(case, stage, "batch")),
                  {"remix": {"ratio": ratios(case)}}, partners(case))


@adapter("train_cmo")
def cmo(case):
    stage = only_stage(case)
    epochs, steps = np.cumsum([0, *case.epoch_steps(stage)]), case.steps_of(stage)
    first, last = case.params["start_data_aug"] + 1, len(epochs) - 1 - case.params["end_data_aug"]
    boxes = case.inputs["box"]
    on = np.array([box is not None for box in boxes])
    assert not on[: epochs[first]].any()
    assert not on[epochs[last]:].any()
    corners = np.array([[b[0], b[2], b[1], b[3]] if b else [0, 0, 0, 0] for b in boxes])
    other = np.array([row if box is not None else clean for row, box, clean in
                      zip(case.inputs["other"], boxes, case.plan)])
    # per-example weights n^-a of the second loader are class weights n^(1-a)
    sampler = {"name": "power", "gamma": 1 - case.inputs["other_weight_exponent"]}
    return Recipe(method("cmo", loss=one_loss(case, stage), alpha=case.params["beta_param"],
                         probability=case.params["mixup_prob"], mix_after=float(epochs[first] / steps),
                         mix_until=float(epochs[last] / steps), sampler=sampler,
                         **effective(case, stage, "weight_sum")),
                  {"cmo": {"box": corners, "on": on}}, other)


@adapter("train_vs_loss")
def vs_loss(case):
    stage = only_stage(case)
    found = losses(case, stage)
    spec = found[-1][1]
    assert [s["name"] for _, s in found[:-1]] in ([], ["ce"])
    return Recipe(method("vs", gamma=spec["gamma"], tau=spec["tau"], ce_until=found[-1][0] / case.steps_of(stage),
                         **effective(case, stage, "weight_sum")))


@adapter("train_lade")
def lade(case):
    spec = one_loss(case, only_stage(case))
    return Recipe(method("lade", alpha=spec["alpha"], remine=spec["remine"]),
                  metrics={"loss_ce": "entry/lade/ce", "loss_reg": "entry/lade/reg"})


@adapter("train_seesaw")
def seesaw(case):
    spec = one_loss(case, only_stage(case))

    def state(result):
        return {"counts_after_each_epoch": np.asarray(result.terms[0]["counts"])}

    return Recipe(method("seesaw", **{k: v for k, v in spec.items() if k != "name"}), state=state)


@adapter("train_equalization_v2")
def equalization_v2(case):
    spec = one_loss(case, only_stage(case))

    def state(result):
        last = result.terms[0]
        return {"pos_grad": last["pos_grad"], "neg_grad": last["neg_grad"], "pos_neg_after_each_epoch": last["pos_neg"]}

    return Recipe(method("equalization_v2", **{k: v for k, v in spec.items() if k != "name"}, columns=case.columns),
                  state=state)


@adapter("train_influence_balanced")
def influence_balanced(case):
    stage = only_stage(case)
    (_, before), (first, spec) = losses(case, stage)
    after, weights, normaliser = deferral(case, stage)
    share = first / case.steps_of(stage)
    assert (before["name"], spec["name"], normaliser) == ("ce", "influence_balanced", "batch")
    assert weights is None or after == share
    return Recipe(method("influence_balanced", ce_until=share, weights=weights,
                         **{k: v for k, v in spec.items() if k != "name"}))


# two stages ------------------------------------------------------------------------------------------------------


def two_stages(case: Case) -> tuple[dict[str, Any], dict[str, Any], float]:
    """Both stages and the second one's share of the epochs."""
    first, second = case.stages
    lengths = [len(case.epoch_steps(s)) for s in case.stages]
    return first, second, lengths[1] / sum(lengths)


BATCHNORM = {"statistics_only": "batch", "frozen": "running"}
"""How the frozen trunk normalises in a second stage -> the library's word."""


@adapter("train_crt")
def crt(case):
    first, second, share = two_stages(case)
    plain_ce(case, first)
    plain_ce(case, second)
    return Recipe(method("crt", head_share=share, batchnorm=BATCHNORM[second["batchnorm"]]))


@adapter("train_lws")
def lws(case):
    first, second, share = two_stages(case)
    plain_ce(case, first)
    plain_ce(case, second)
    return Recipe(method("lws", scale_share=share, batchnorm=BATCHNORM[second["batchnorm"]]))


@adapter("train_weight_balancing")
def weight_balancing(case):
    first, second, share = two_stages(case)
    plain_ce(case, first)
    assert second["batchnorm"] == "statistics_only"
    projection = second["projection"]
    assert projection["kind"] == "max_norm"

    def state(result):
        norms = np.linalg.norm(np.asarray(result.params["head"]["kernel"]), axis=0)
        return {"delta": result.projection["head/kernel"], "head_row_norms": norms}

    return Recipe(method("weight_balancing", head_share=share, beta=one_loss(case, second)["beta"],
                         threshold=projection["thresh"]), state=state)


@adapter("train_disalign")
def disalign(case):
    first, second, share = two_stages(case)
    plain_ce(case, first)
    assert one_loss(case, second) == {"name": "ce"}
    after, weights, normaliser = deferral(case, second)
    assert (after, weights["name"], normaliser) == (0.0, "grw", "weight_sum")
    return Recipe(method("disalign", align_share=share, rho=weights["rho"],
                         batchnorm=BATCHNORM[second["batchnorm"]]))


@adapter("train_mislas")
def mislas(case):
    first, second, share = two_stages(case)
    plain_ce(case, first)
    spec = {k: v for k, v in one_loss(case, second).items() if k != "name"}
    recipe = method("mislas", mixup="mix" in case.inputs, alpha=case.params["alpha"], head_share=share,
                    batchnorm=BATCHNORM[second["batchnorm"]], **spec)
    if "mix" not in case.inputs:
        return Recipe(recipe)
    return Recipe(recipe, {"mixup": {"ratio": ratios(case)}}, partners(case))


@adapter("train_gcl")
def gcl(case):
    first, second, share = two_stages(case)
    one, two = one_loss(case, first), one_loss(case, second)
    assert one["margin"] == 0
    assert one["noise_scale"] == two["noise_scale"]
    assert second["batchnorm"] == "frozen"
    mixed = "mix" in case.inputs
    recipe = method("gcl", mixup=mixed, noise_scale=one["noise_scale"], scale=float(one["scale"]), head_share=share,
                    head_scale=float(two["scale"]), margin=two["margin"], gamma=two.get("gamma", 0.0))
    noise, calls = case.inputs["noise"], 2 if mixed else 1
    normal = np.random.RandomState(noise["seed"])
    shape = (len(case.plan), calls, case.inputs["batch"], len(case.inputs["class_counts"]))
    values, drawn = np.zeros(shape), 0
    for step in range(len(case.plan)):
        for call in range(calls if step < first["to_step"] else 1):
            values[step, call] = np.clip(normal.randn(*shape[2:]) / 3, -1, 1)
            drawn += 1
    assert drawn == noise["calls"]
    draws = {"gcl": {"noise": values}}
    if not mixed:
        return Recipe(recipe, draws)
    return Recipe(recipe, {**draws, "mixup": {"ratio": ratios(case)}}, partners(case))
