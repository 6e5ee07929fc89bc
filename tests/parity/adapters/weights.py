"""Adapters of the class weights."""

from ltjax import weights
from ltjax.types import ClassStats

OPTIONS = ("beta", "gamma", "rho")


def class_weights(case):
    call = getattr(weights, case.params["kind"])
    options = {name: case.params[name] for name in OPTIONS if case.params.get(name) is not None}
    return {"class_weights": call(stats=case.stats, **options)}


def drw_schedule(case):
    start, betas = case.params["start_epoch"], case.params["betas"]
    beta = betas[min(len(betas) - 1, case.inputs["epoch"] // start)]
    stats = ClassStats(case.inputs["class_counts"])
    return {"class_weights": weights.effective_number(stats=stats, beta=beta)}


ADAPTERS = {"rebalance/class_weights": class_weights, "rebalance/drw_schedule": drw_schedule}
