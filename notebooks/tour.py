# %% [markdown]
# # A tour: from a config to a table and pictures
#
# Ten handwritten digits with a long tail: 120 training images of a zero, two of a nine. Plain cross-entropy, balanced
# softmax and LDAM with deferred re-weighting learn from them, three seeds each.
#
# **What to expect.** Less than a minute on a CPU, most of it to compile; nothing is downloaded. The test set has
# fifty images of every digit. All methods read the frequent digits well; they differ on the rare ones, and in how far
# their confidence can be trusted. The last digits of the numbers depend on your hardware and versions.

# %%
# %matplotlib inline
import tempfile

import numpy as np
from rich.console import Console

import ltjax
from ltjax.analysis import group_runs, plots
from ltjax.analysis.figures import drawn, new_figure

show = Console(width=170, highlight=False).print
folder = tempfile.TemporaryDirectory()  # give run.root a folder of yours to keep the runs

# %% [markdown]
# ## A config
# `digits_lt` is a config that comes with the library, `ir` the ratio of the largest class to the smallest. Every
# option can be set by its name; a mistyped one is answered with the nearest. `prepare` checks a config and loads its
# data without compiling anything.

# %%
config = ltjax.load_config("digits_lt:ir=50", [f"run.root={folder.name}", "optim.epochs=40"])
print("data:  ", config["data"])
print("model: ", config["model"])
print("optim: ", {name: value for name, value in config["optim"].items() if value})
dataset = ltjax.prepare(config).dataset


@drawn
def rows_of_every_class(shown=12):
    """Training images, a class a row; the tail has fewer than fit."""
    figure = new_figure(5.2, 4.4)
    side, x, label = 9, dataset.train["x"][..., 0], dataset.train["label"]
    sheet = np.full((side * dataset.classes, side * shown), np.nan)
    for c in range(dataset.classes):
        for i, image in enumerate(x[label == c][:shown]):
            sheet[side * c: side * c + 8, side * i: side * i + 8] = image
    axes = figure.subplots()
    axes.imshow(sheet, cmap="gray_r")
    axes.set_yticks(side * np.arange(dataset.classes) + 4,
                    [f"{name}: {n} images" for name, n in zip(dataset.class_names, dataset.counts)])
    axes.set(xticks=(), title=f"at most {shown} of them shown")
    axes.grid(visible=False)
    return figure


rows_of_every_class()

# %% [markdown]
# ## Training
# `fit` trains a config; the seeds given share one compiled program. The test set is read once, after the last epoch.

# %%
for method in ("erm", "balanced_softmax", "ldam_drw"):
    for result in ltjax.fit(config | {"method": {"name": method}}, seeds=range(3)):
        print(result)

# %% [markdown]
# ## The table
# Run folders in, table out: mean and spread over seeds, and the difference to `erm`, paired by seed. What a reader
# must know stands below it. The notebook `reading_a_table` takes such a table apart.

# %%
runs = ltjax.find_runs(folder.name)
table = ltjax.comparison(runs, baseline="erm", sort="few")
show(table.rich(170))

# %% [markdown]
# ## Pictures
# The training set: a logarithmic axis, and the classes with many, medium and few examples.

# %%
plots.class_counts(runs[0])

# %% [markdown]
# The accuracy of each class against its frequency. The lines part to the right, where a class has few examples: that
# is what a method for long tails is for. Bars are one standard deviation over seeds.

# %%
order = [row.label for row in table.rows]
groups = sorted(group_runs(runs), key=lambda group: order.index(group.label))
plots.class_accuracy(groups)

# %% [markdown]
# How far to trust a confidence. A bar below the diagonal is too sure of itself, one above it too modest, and the
# hatched part is the gap; the small bars tell how many test images have such a confidence. Good decisions and good
# confidences are two things: LDAM fits scaled cosines to a margin, which is no fit of probabilities.

# %%
plots.reliability(groups)

# %% [markdown]
# ## What is kept
# A run folder is plain data: JSON and arrays. The same numbers can be read again, measured anew with other groups or
# test priors, or put into one HTML page.

# %%
print(*sorted(path.name for path in runs[0].path.glob("[!.]*")))
page = ltjax.write_report(runs, f"{folder.name}/report.html", sort="few")
print(f"{page.name}: {page.stat().st_size / 1000:.0f} kB, one file that loads nothing")
folder.cleanup()
