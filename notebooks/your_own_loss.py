# %% [markdown]
# # Your own loss: an idea, its gradient, a fair comparison
#
# The idea: in cross-entropy every row of a frequent class also pushes the logits of the rare classes down, and there
# are many such rows. Let a row push a class that is rarer than its own less, in proportion to their counts.
#
# **What to expect.** A loss in a few lines. Before anything is trained, a picture of its gradient shows that it does
# what it should; then it is trained beside cross-entropy over five seeds, and the difference is paired by seed. Half
# a minute on a CPU. The gain is on the rare classes; what it costs elsewhere stands beside it.

# %%
# %matplotlib inline
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import optax
from rich.console import Console

import ltjax
from ltjax.analysis import paired_difference
from ltjax.analysis.figures import INK, PALETTE, drawn, legend_below, new_figure
from ltjax.analysis.stats import format_difference

show = Console(width=170, highlight=False).print

# %% [markdown]
# ## The loss
# It returns one value per example and takes no mean. `stats` holds the class counts of the training split; `power`
# has a default, and so it is an option that a config can set. `test_logits="neither"` says that the logits are
# neither the posterior of the training set nor a balanced one, so that no rule adjusts them for a prior later. The
# same idea is the mitigation factor of the Seesaw loss (Wang et al. 2021).
#
# After a change of this cell restart the kernel: a name stands for one loss, or a table could mix two under one
# label.

# %%


@ltjax.register("loss", "sheltered", test_logits="neither", bounds={"power": (0.0, 4.0)})
def sheltered(logits, labels, *, stats, power=1.0):
    """Cross-entropy in which a class j that is rarer than the label y counts (n_j / n_y)^power of its exponential."""
    log_n = np.log(stats.counts)
    shelter = power * np.minimum(0.0, log_n[None, :] - log_n[:, None])  # [label, class]
    shifted = logits + jnp.asarray(shelter, logits.dtype)[labels]
    return optax.softmax_cross_entropy_with_integer_labels(shifted, labels)


# %% [markdown]
# ## Its gradient
# At equal logits, one row of the most frequent class and one of the rarest. Bars above zero raise a logit in the next
# step, bars below lower it. A row of the head spares the tail, and so pulls less at its own class and pushes its
# peers a little more. A row of the tail is as in cross-entropy. With equal counts, or with power 0, all rows are.

# %%
stats = ltjax.prepare(ltjax.load_config("digits_lt:ir=50")).stats
head, tail = int(stats.counts.argmax()), int(stats.counts.argmin())


def step_of(loss, label, stats=stats, **options):
    """What a step does to the logits of one row that starts at zero: minus the gradient."""
    value = lambda z: loss(z, jnp.array([label]), stats=stats, **options).sum()
    return -np.asarray(jax.grad(value)(jnp.zeros((1, stats.classes))))[0]


@drawn
def steps():
    """The two losses side by side, for a row of the head and a row of the tail."""
    figure = new_figure(8.5, 3.0)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, label, words in zip(panels, (head, tail), ("most frequent", "rarest")):
        for x, loss, color in zip((-0.2, 0.2), (ltjax.losses.ce, sheltered), PALETTE):
            axes.bar(np.arange(stats.classes) + x, step_of(loss, label), 0.4, color=color, label=loss.__name__)
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.set(title=f"a row of the {words} class", xlabel="logit of class, with its training images")
        axes.set_xticks(range(stats.classes), [f"{c}\n{n:.0f}" for c, n in enumerate(stats.counts)])
        axes.set_yscale("symlog", linthresh=0.02)
        axes.set_yticks((-0.1, -0.01, 0, 0.01, 0.1, 1), ("-0.1", "-0.01", "0", "0.01", "0.1", "1"))
    panels[0].set_ylabel("change of the logit")
    legend_below(figure, panels[0])
    return figure


equal = ltjax.ClassStats([50] * stats.classes)
assert np.allclose(step_of(sheltered, head, equal), step_of(ltjax.losses.ce, head))
assert np.allclose(step_of(sheltered, head, power=0.0), step_of(ltjax.losses.ce, head))
assert np.allclose(step_of(sheltered, tail), step_of(ltjax.losses.ce, tail))
steps()

# %% [markdown]
# ## Training
# The method `erm` trains any registered loss on equal terms: data, network, epochs, batch and seeds are the same.

# %%
with tempfile.TemporaryDirectory() as folder:
    config = ltjax.load_config("digits_lt:ir=50", [f"run.root={folder}"])
    plain = ltjax.fit(config, seeds=range(5))
    own = ltjax.fit(config | {"method": {"name": "erm", "loss": "sheltered"}}, seeds=range(5))
    show(ltjax.comparison(ltjax.find_runs(folder)).rich(170))

# %% [markdown]
# ## The difference, seed by seed
# A seed gives both runs the same first weights and the same order of rows, so its two numbers belong together. The
# interval is that of the mean difference over seeds on this one training set; another training set is another
# question.

# %%
for group in ("many", "medium", "few"):
    before, after = ([result.metrics[group]["accuracy"] for result in results] for results in (plain, own))
    paired = paired_difference(before, after)
    difference = format_difference(paired, 100)
    print(f"{group:>6}: {difference} points, better for {paired.wins} of {paired.n} seeds")
