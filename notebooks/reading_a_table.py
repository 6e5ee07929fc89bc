# %% [markdown]
# # Reading a table: what its numbers mean, and what they do not
#
# Five Gaussian classes at equal distances, 800 training rows of the first and sixteen of the last. The best possible
# balanced accuracy is known exactly for such data, and so is where cross-entropy ends with unlimited rows.
#
# **What to expect.** A table of linear classifiers, taken apart: mean, spread, interval, paired difference, groups,
# calibration error. Then the yardstick: how close two methods come as the training set grows. Half a minute on a CPU.

# %%
# %matplotlib inline
import tempfile

from rich.console import Console

import ltjax
from ltjax.analysis import paired_difference, summary
from ltjax.analysis.figures import INK, MUTED, PALETTE, drawn, legend_below, new_figure, plain_log
from ltjax.analysis.stats import format_difference, format_interval, format_mean

show = Console(width=170, highlight=False).print
folder = tempfile.TemporaryDirectory()


def trained(method, largest=800, draw=0, steps=600, batch=64):
    """Five seeds of one method, equally long whatever the size; `draw` chooses the training rows."""
    config = ltjax.load_config("synthetic:ir=50", [
        f"run.root={folder.name}/{largest}/{draw}", f"method.name={method}", f"data.largest={largest}",
        f"data.subset_seed={draw}", "data.test_per_class=2000", "model.hidden=()", f"optim.batch={batch}",
        "eval.every_epochs=0"])
    rows = len(ltjax.prepare(config).dataset.train["label"])
    ltjax.config.apply_set(config, f"optim.epochs={steps // (rows // batch)}")
    return ltjax.fit(config, seeds=range(5))


def balanced(results):
    return [result.metrics["balanced_accuracy"] for result in results]


erm, focal, bal = (trained(method) for method in ("erm", "focal", "balanced_softmax"))
show(ltjax.comparison(ltjax.find_runs(f"{folder.name}/800/0"), sort="balanced").rich(170))

# %% [markdown]
# ## Mean, spread, interval
# The number after ± is the standard deviation of single runs: how far the next seed may fall from the mean. More
# seeds make it surer, not smaller. The interval is about the mean, and shrinks as seeds are added.

# %%
for n in (2, 3, 5):
    s = summary(balanced(bal)[:n])
    print(f"{n} seeds: {format_mean(s, 100)}, interval of the mean {format_interval(s.low, s.high, 100)}")

# %% [markdown]
# ## The paired difference, and what seeds do not vary
# A seed gives two methods the same order of rows and, where their networks are alike, the same start. Zero outside
# the interval: the sign is hardly chance of the seeds. Zero inside it: these seeds do not decide, which proves no
# equality. Of twenty such intervals one misses its mark by chance alone.
#
# All seeds of a table share one training set. Drawn anew, its sixteen rarest rows are others, and the numbers move by
# more than their spread tells: the interval is about seeds, not about data.

# %%
for name, method in (("focal", focal), ("balanced_softmax", bal)):
    print(f"{name} - erm: {format_difference(paired_difference(balanced(erm), balanced(method)), 100)}")
for draw in range(3):
    pair = [trained(name, draw=draw) for name in ("erm", "balanced_softmax")]  # finished runs are read
    means = [format_mean(summary(balanced(results)), 100) for results in pair]
    print(f"training set {draw}:", *means, "Δ", format_difference(paired_difference(*map(balanced, pair)), 100))

# %% [markdown]
# ## Groups and calibration
# Thresholds on training counts decide what is many, medium and few. A group of one or two classes hangs on them:
# moved a little, they give another number of the same run. The calibration error speaks of this test set, here with
# equally many rows per class; fewer rows or more bins make it larger, with the same model. Nor is it quality: a model
# that knows nothing but the class shares has an error of zero.

# %%
run = ltjax.load_run(bal[0].path)
z, y, stats = run.outputs()["test_logits"], run.outputs()["test_label"], ltjax.ClassStats(run.counts)
for few in (20, 50):
    found = ltjax.metrics.evaluate(erm[0].outputs["test_logits"], y, stats=stats, groups=(100, few))["few"]
    print(f"rows {run.counts}, few below {few}: accuracy {found['accuracy']:.1%}, classes {found['classes']}")
for words, logits, every in (("balanced_softmax", z, 1), ("the same", z, 50), ("knows nothing", 0 * z, 1)):
    for bins in (5, 100):
        m = ltjax.metrics.evaluate(logits[::every], y[::every], stats=stats, bins=bins)
        print(f"{words}, {m['n']} rows, {bins} bins: ECE {m['ece']['value']:.1%}, accuracy {m['accuracy']:.1%}")

# %% [markdown]
# ## The yardstick
# With more rows each method nears its own limit. That of cross-entropy is the best rule for the training prior; its
# balanced accuracy stays below what is possible, and more data of the same kind does not mend that.

# %%
sizes, truth = (50, 800, 12800), ltjax.prepare(ltjax.load_config("synthetic:ir=50")).dataset.truth
grown = {name: [summary(balanced(trained(name, n))) for n in sizes] for name in ("erm", "balanced_softmax")}
folder.cleanup()
for name, found in grown.items():
    print(name, "is short of the best by", *(f"{truth['bayes_balanced_accuracy'] - s.mean:.1%}" for s in found))


@drawn
def against_the_limits():
    """Balanced accuracy against the rows of the largest class, and the two exact limits."""
    figure = new_figure(6.0, 3.8)
    axes = figure.subplots()
    for (name, found), color, marker in zip(grown.items(), PALETTE, "os"):
        means, spreads = ([100 * getattr(s, what) for s in found] for what in ("mean", "sd"))
        axes.errorbar(sizes, means, spreads, color=color, marker=marker, label=name)
    axes.axhline(100 * truth["bayes_balanced_accuracy"], color=INK, linestyle="--", label="best possible")
    axes.axhline(100 * truth["train_rule_balanced_accuracy"], color=MUTED, linestyle=":", label="limit of erm")
    axes.set(xscale="log", xlabel="training rows of the largest class", ylabel="balanced accuracy (%)")
    plain_log(axes.xaxis)
    legend_below(figure, axes, 2)
    return figure


against_the_limits()
