"""Adapters of the keys that train in one stage."""

import numpy as np

from .recipes import (
    Recipe,
    adapter,
    deferral,
    effective,
    losses,
    method,
    one_loss,
    only_stage,
    partners,
    plain_ce,
    ratios,
)


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
                         normaliser=deferral(case, stage)[2], **effective(case, stage)),
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
