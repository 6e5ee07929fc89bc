"""Adapters of the keys that train in two stages."""

from typing import Any

import numpy as np

from .cases import Case
from .recipes import Recipe, adapter, deferral, method, one_loss, partners, plain_ce, ratios


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
