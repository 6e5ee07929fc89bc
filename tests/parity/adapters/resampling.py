"""Golden keys of samplers, mixers, post-hoc rules, the scaled head and the class profiles."""

import jax.numpy as jnp
import numpy as np
from scipy.special import softmax

from ltjax import losses, mixers, posthoc, samplers
from ltjax.causal import causal_logits, moved
from ltjax.data.longtail import class_counts
from ltjax.heads.scaled import scaled
from ltjax.mixers.cutmix import box_around
from ltjax.mixers.smote import interpolate, neighbours
from ltjax.posthoc.ncm import fit_means
from ltjax.posthoc.tau_norm import normalised
from ltjax.samplers.base import Draw
from ltjax.samplers.in_batch import pair_probabilities
from ltjax.samplers.repeat_factor import class_repeat, combined, image_frequency, instance_frequency
from ltjax.samplers.resample import oversampled, undersampled
from ltjax.types import ClassStats, Context

from .common import with_gradients


def decided(z, /, **more):
    return {"logits": z, "predictions": z.argmax(1), **more}


# Rules after training: host arithmetic, float64 for every case.

def by_prior(case, name="prior"):
    return ClassStats(case.inputs[name])


def logit_adjust_posthoc(case):
    return decided(posthoc.logit_adjust({"logits": case.numbers("logits")}, stats=by_prior(case),
                                        tau=float(case.params["tau"]), epsilon=case.params["eps"]))


def pc_softmax(case):
    target = np.log(case.numbers("target_prior"))
    z = posthoc.pc_softmax({"logits": case.numbers("logits")}, stats=by_prior(case), target_log_prior=target)
    return decided(z, probabilities=softmax(z, axis=1))


def prior_threshold(case):
    z = posthoc.prior_threshold({"logits": case.numbers("logits")}, stats=by_prior(case))
    return decided(z, scores=np.exp(z), probabilities=softmax(z, axis=1))


def tau_norm(case):
    weights, tau = case.numbers("weights"), case.params["tau"]
    outputs = {"features": case.numbers("features"), "classifier": weights}
    z = posthoc.tau_norm(outputs, stats=ClassStats(np.ones(len(weights))), tau=tau)
    return decided(z, weights=normalised(weights, tau))


def l2_normalizer(case):
    """The rule gives logits: unit features and the zero feature read weights and bias back."""
    weights, bias = case.numbers("weights"), case.numbers("bias")
    width = weights.shape[1]
    outputs = {"features": np.vstack([np.eye(width), np.zeros(width)]), "classifier": weights,
               "classifier_bias": bias}
    z = posthoc.l2_normalizer(outputs, stats=ClassStats(np.ones(len(weights))), tau=case.params["tau"])
    return {"weights": (z[:-1] - z[-1:]).T, "bias": z[-1]}


def ncm(case):
    labels = np.asarray(case.inputs["train_labels"], np.int64)
    stats = ClassStats(np.ones(len(case.expected["centroids"])))
    options = {k: case.params[k] for k in ("feat_type", "dist_type")}
    params = fit_means({"features": case.numbers("train_features")}, labels, stats=stats, **options)
    z = posthoc.ncm({"features": case.numbers("features")}, stats=stats, params=params, **options)
    return decided(z, mean=params["mean"], centroids=params["centroids"])


def causal_tde(case):
    p, labels = case.params, case.ints("labels")
    options = {"heads": p["num_head"], "scale": p["tau"], "alpha": p["alpha"], "gamma": p["gamma"]}
    stats = ClassStats(np.ones(len(case.inputs["weights"])))

    def f(features, weights):
        z = causal_logits(features, weights, **options)
        return losses.ce(z, labels, stats=stats).mean(), {"logits": z}

    embed = moved(case.array("embed"), case.array("features"), p["mu"])
    outputs = {"features": case.numbers("features"), "classifier": case.numbers("weights")}
    z = posthoc.causal_tde(outputs, stats=stats, params={"direction": embed}, **options)
    trained = with_gradients(f, features=case.array("features"), weights=case.array("weights"))
    return {**trained, "new_embed": embed, "logits_tde": z, "predictions": z.argmax(1)}


def lws(case):
    stats, labels = ClassStats(np.ones(len(case.inputs["bias"]))), case.ints("labels")
    head = scaled(classes=stats.classes)

    def f(scales):
        fixed = {"kernel": case.array("weights").T, "bias": case.array("bias")}
        z = head.apply({"params": {**fixed, "scale": scales}}, case.array("features"))["logits"]
        return losses.ce(z, labels, stats=stats).mean(), {"logits": z}

    return with_gradients(f, scales=case.array("scales"))


# Samplers: counts and probabilities on the host.

def draw_of(counts, **time):
    counts = np.asarray(counts)
    return Draw(np.repeat(np.arange(counts.size), counts), counts.size, batch=1, **time)


def sampler_probabilities(case):
    p, counts = case.params, case.inputs["class_counts"]
    draw = draw_of(counts, steps=p.get("T", 1))
    sampler = {
        "instance": lambda: samplers.shuffle(draw),
        "class": lambda: samplers.class_balanced(draw),
        "sqrt": lambda: samplers.square_root(draw),
        "power": lambda: samplers.power(draw, gamma=p["q"]),
        "progressive": lambda: samplers.progressive(draw),
        "reversed": lambda: samplers.reversed(draw),
        "effective_number": lambda: samplers.effective_number(draw, beta=p["beta"]),
        "cmo_code": lambda: samplers.power(draw, gamma=1 - p["a"]),
        "cmo_paper": lambda: samplers.power(draw, gamma=-p["a"]),
    }[p["kind"]]()
    prob = sampler.probabilities(p.get("t", 0))
    return {"class_prob": prob, "example_prob": prob / np.asarray(counts)}


def two_phase(case):
    counts, threshold = np.asarray(case.inputs["class_counts"]), case.params["threshold"] or 0
    draw = draw_of(counts)
    if case.params["mode"] == "over":
        after, sampler = oversampled(counts), samplers.oversample(draw)
    else:
        after = undersampled(counts, threshold=threshold)
        sampler = samplers.undersample(draw, threshold=threshold)
    return {"phase1_counts": after, "phase1_class_prob": sampler.probabilities(),
            "phase2_class_prob": samplers.shuffle(draw).probabilities()}


def instances(case):
    table = np.zeros((len(case.inputs["image_classes"]), case.inputs["num_classes"]), np.int64)
    for row, classes in enumerate(case.inputs["image_classes"]):
        np.add.at(table[row], classes, 1)
    return table


def repeated(sampler, by_class, **more):
    return {"image_repeat": sampler.repeat, "class_repeat": by_class,
            "sampling_prob": sampler.repeat / sampler.repeat.sum(), **more}


def repeat_factor_sampling(case):
    table, options = instances(case), {"threshold": case.params["repeat_thresh"], "root": case.params["sqrt"]}
    frequency = image_frequency(table)
    sampler = samplers.repeat_factor(Draw(table, table.shape[1], batch=1), **options)
    return repeated(sampler, class_repeat(frequency, **options), image_freq=frequency)


def instance_aware_rfs(case):
    table, threshold, mean = instances(case), case.params["repeat_thresh"], case.params["mean"]
    frequency = combined(image_frequency(table), instance_frequency(table), mean)
    sampler = samplers.instance_aware_repeat_factor(Draw(table, table.shape[1], batch=1), threshold=threshold,
                                                    mean=mean)
    return repeated(sampler, class_repeat(frequency, threshold), frequency=frequency)


# Mixers: the draws are handed in.

def mixed(case, mixer, values, x, other=None):
    """The mixed batch; the partners are the batch's own rows permuted unless others are given."""
    labels = case.ints("labels")
    stats = ClassStats(case.inputs.get("class_counts", np.ones(int(np.max(case.inputs["labels"])) + 1)))
    if other is None:
        turn = case.ints("permutation")
        other = {"x": x[turn], "label": labels[turn]}
    return mixer.mix({"x": x, "label": labels, "other": other}, values, stats, Context(stats))


def mixed_loss(case, batch):
    """Mean over rows of ratio * CE(label) + (1 - ratio) * CE(label2), and its gradient."""
    stats = ClassStats(np.ones(np.shape(case.inputs["logits"])[1]))

    def f(logits):
        first, second = (losses.ce(logits, batch[name], stats=stats) for name in ("label", "label2"))
        return (batch["ratio"] * first + (1 - batch["ratio"]) * second).mean(), {}

    return with_gradients(f, logits=case.array("logits"))


def mixup(case):
    batch = mixed(case, mixers.mixup(), {"ratio": case.params["lam"]}, case.array("features"))
    return {"mixed": batch["x"], "labels_a": batch["label"], "labels_b": batch["label2"],
            **mixed_loss(case, batch)}


def remix(case):
    mixer = mixers.remix(kappa=float(case.params["kappa"]), tau=case.params["tau"])
    batch = mixed(case, mixer, {"ratio": case.params["lam"]}, case.array("features"))
    return {"mixed": batch["x"], "labels_a": batch["label"], "labels_b": batch["label2"],
            "label_lam": batch["ratio"], **mixed_loss(case, batch)}


def mamix(case):
    x = jnp.zeros((len(case.inputs["labels"]), 1), case.dtype)
    batch = mixed(case, mixers.mamix(power=case.params["f"]), {"ratio": 1 - case.params["lam"]}, x)
    return {"label_lam": batch["ratio"]}


def unimix(case):
    batch = mixed(case, mixers.unimix(alpha=case.params["alpha"]), {"beta": case.array("beta")},
                  case.array("features"))
    counts = np.asarray(case.inputs["class_counts"])[case.inputs["labels"]]
    return {"pair_prob": pair_probabilities(counts, case.params["tau"]), "label_lam": batch["ratio"],
            "mixed": batch["x"], "labels_b": batch["label2"]}


def cutmix_cmo(case):
    x, other = case.array("images")[..., None], case.array("images2")[..., None]
    box = box_around(case.ints("center"), case.params["lam"], *x.shape[1:3])
    batch = mixed(case, mixers.cmo(), {"box": box}, x, {"x": other, "label": case.ints("labels2")})
    return {"box": box, "lam_adjusted": batch["ratio"][0], "mixed": batch["x"][..., 0],
            **mixed_loss(case, batch)}


def smote(case):
    features = case.numbers("features")
    near = neighbours(features, case.params["k"])
    picks = (np.asarray(case.inputs[name]) for name in ("rows", "cols"))
    return {"neighbors": near, "samples": interpolate(features, near, *picks, case.numbers("steps"))}


def lt_profile(case):
    """The authors' step profile of an odd number of classes lacks the last one."""
    classes, kind = case.inputs["num_classes"], case.params["kind"]
    counts = class_counts(classes, case.inputs["max_count"], 1 / case.params["imb_factor"], kind)
    counts = counts[:classes // 2 * 2] if kind == "step" else counts
    return {"class_counts": counts, "total": counts.sum()}


ADAPTERS = {f"rebalance/{adapter.__name__}": adapter for adapter in (
    logit_adjust_posthoc, pc_softmax, prior_threshold, tau_norm, l2_normalizer, ncm, causal_tde, lws,
    sampler_probabilities, two_phase, repeat_factor_sampling, instance_aware_rfs, mixup, remix, mamix, unimix,
    cutmix_cmo, smote, lt_profile)}
