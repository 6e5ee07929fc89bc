# %% [markdown]
# # Your own data: arrays in, and a test set unlike the training set
#
# A table of measurements of breast tumours (569 rows, embedded in scikit-learn). Training sees 240 benign rows and
# twelve malignant ones; every other row is for the test. How common the disease is where a model is used is not up to
# the training set, so we ask for every share of malignant rows how often the model is right.
#
# **What to expect.** Half a minute on a CPU. Cross-entropy leans towards benign, as its training set does; balanced
# softmax takes both for equally likely; a rule at evaluation time suits cross-entropy to any share that you know. At
# the end stand wrong inputs, and the sentence that answers each.

# %%
# %matplotlib inline
import tempfile

import numpy as np
from rich.console import Console
from sklearn.datasets import load_breast_cancer

import ltjax
from ltjax.analysis.figures import MUTED, PALETTE, drawn, legend_below, new_figure
from ltjax.metrics.shifts import prior_weighted_accuracy

show = Console(width=170, highlight=False).print
folder = tempfile.TemporaryDirectory()

# %% [markdown]
# ## Four arrays in one file
# `train_x`, `train_y`, `test_x`, `test_y`; labels are whole numbers from 0. Names of the classes are welcome.

# %%
cancer = load_breast_cancer()
x, y = cancer.data, 1 - cancer.target  # 0 benign, 1 malignant
rows = np.random.default_rng(0).permutation(len(y))
train = np.concatenate([rows[y[rows] == 0][:240], rows[y[rows] == 1][:12]])
test = np.setdiff1d(rows, train)
arrays = dict(train_x=x[train], train_y=y[train], test_x=x[test], test_y=y[test],
              class_names=np.array(["benign", "malignant"]))
file = f"{folder.name}/tumours.npz"
np.savez(file, **arrays)

# %% [markdown]
# ## Training
# The config `npz` standardises the features by the training rows. Shifts measure under other test priors by weighing
# the test rows: 20 is a long tail of that ratio in the order of the training set, -20 the reverse, 1 is even.

# %%
settings = ["model.hidden=(32,)", "optim.epochs=40", "optim.batch=32", "eval.shifts=(20,1,-20)"]
config = ltjax.load_config(f"npz:path={file}", [*settings, f"run.root={folder.name}/runs"])
methods = ("erm", "balanced_softmax")
results = {name: ltjax.fit(config | {"method": {"name": name}}, seeds=range(5)) for name in methods}
show(ltjax.comparison(ltjax.find_runs(f"{folder.name}/runs"), sort="balanced").rich(170))
for name, runs in results.items():
    for shift, measured in runs[0].metrics["shifts"].items():
        mean = np.mean([run.metrics["shifts"][shift]["accuracy"] for run in runs])
        print(f"{name}, {shift}: {mean:.1%}, as good as {measured['effective_sample_size']:.0f} rows of equal weight")

# %% [markdown]
# ## Another prior where it is used
# `logit_adjust` takes the training prior out of the logits of cross-entropy and puts the known one in: one line, no
# training. With perfect probabilities its curve would lie above every other; those learnt from twelve malignant rows
# are not, and where both classes are common the loss that was trained for that may do better.

# %%
stats = ltjax.ClassStats(np.bincount(y[train]))
shares = np.linspace(0.01, 0.99, 50)


def right(results, share, adjust=False):
    """Accuracy in percent where this share of the rows is malignant, averaged over seeds."""
    prior, found = np.array([1 - share, share]), []
    for result in results:
        z = result.outputs["test_logits"]
        if adjust:
            z = ltjax.posthoc.logit_adjust({"logits": z}, stats=stats, target_log_prior=np.log(prior))
        found.append(prior_weighted_accuracy(z.argmax(1), y[test], counts=stats.counts, target_prior=prior))
    return 100 * np.mean([measured["accuracy"] for measured in found])


@drawn
def over_priors():
    """Accuracy of every rule against the share of malignant rows in use."""
    figure = new_figure(6.0, 3.6)
    axes = figure.subplots()
    curves = (("erm", False, "-"), ("balanced_softmax", False, "--"), ("erm", True, "-."))
    for (name, adjust, dash), color in zip(curves, PALETTE):
        curve = [right(results[name], share, adjust) for share in shares]
        axes.plot(100 * shares, curve, dash, color=color, label=name + ", adjusted to the share" * adjust)
    axes.axvline(100 * stats.prior[1], color=MUTED, linewidth=0.9, linestyle=":", label="share in training")
    axes.set(xlabel="malignant rows where the model is used (%)", ylabel="accuracy (%)")
    legend_below(figure, axes, 2)
    return figure


over_priors()

# %% [markdown]
# ## Wrong on purpose
# What was done, and the sentence that it gets before anything compiles.

# %%
spoilt = {
    "labels from 1": dict(train_y=y[train] + 1, test_y=y[test] + 1),
    "labels as text": dict(train_y=arrays["class_names"][y[train]]),
    "a missing value": dict(train_x=np.where(np.arange(len(train))[:, None] == 7, np.nan, x[train])),
    "a label too few": dict(train_y=y[train][1:]),
    "Python objects": dict(train_x=np.array([[1, "a"]] * len(train), dtype=object)),
}
mistyped = ("data.standardise=true", "data.path=tumors.npz", "optim.batch=512", "method.name=balanced_sofmax")
twice = ["method.name=balanced_softmax", "eval.posthoc=('logit_adjust',)"]
attempts = [(name, change, []) for name, change in spoilt.items()]
attempts += [*((line, {}, [line]) for line in mistyped), ("the prior taken out twice", {}, twice)]
for name, change, lines in attempts:
    np.savez(file, **(arrays | change))
    try:
        ltjax.prepare(ltjax.load_config(f"npz:path={file}", [*settings, *lines]))
    except (ltjax.ConfigError, FileNotFoundError) as error:
        show(f"[bold]{name}[/]", str(error).replace(f"{folder.name}/", ""), sep="\n  ", soft_wrap=True)
folder.cleanup()
