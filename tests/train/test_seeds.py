"""Seeds that share a program train as if alone; what a run compiles, and when."""

import pytest

from ltjax.methods.base import Entry, Stage
from ltjax.train.loop import fit
from ltjax.train.progress import Silent
from tests.train.parts import register_parts
from tests.train.setting import assert_runs_close, column, compilations, config


def stages():
    register_parts()
    first = Stage("first", 0.5, objective=(Entry("test_noisy"), Entry("class_means", weight=0.1)), mixer="mixup",
                  networks=dict(ema=0.9))
    second = Stage("second", 0.5, objective=(Entry("ce"), Entry(dict(name="feature_queue", size=32), weight=0.1)),
                   sampler="class_balanced", train="head/.*", reset="head/.*")
    return first, second


@pytest.mark.slow
def test_seeds_in_one_program_train_as_if_alone():
    given = config(*stages(), optim__epochs=4, run__dtype="float64", data__augment=("flip",), data__val_per_class=1,
                   data__imbalance=20.0)
    together = fit(given, seeds=[3, 0, 11])
    assert [r.seed for r in together] == [3, 0, 11]
    for result in together:
        alone = fit({**given, "seed": result.seed})
        assert alone.seed == result.seed
        assert_runs_close(result, alone)
        assert column(result, "accuracy", "val").tolist() == column(alone, "accuracy", "val").tolist()
    assert column(together[0], "loss")[0] != column(together[1], "loss")[0]


class Watch(Silent):
    """Notes how much was compiled whenever a chunk is done."""

    def __init__(self, seen: list):
        self._seen, self.at = seen, []

    def step(self, step, row):
        self.at.append((step, len(self._seen)))


@pytest.mark.parametrize("seeds", [None, pytest.param([0, 1], marks=pytest.mark.slow)])
def test_nothing_compiles_after_the_first_epoch_of_a_stage(tmp_path, seeds):
    given = config(*stages(), optim__epochs=4, data__val_per_class=1, data__imbalance=20.0, run__root=str(tmp_path),
                   run__log_every=4, run__chunk_steps=3, run__checkpoint_epochs=1, run__checkpoint_minutes=0.0)
    with compilations() as seen:
        watch = Watch(seen)
        results = fit(given, seeds=seeds, progress=watch)
    result = results[0] if seeds else results
    per_epoch = result.config["stages"][0]["epoch_steps"][0]
    for stage in (0, 1):
        begin, end = stage * 2 * per_epoch, (stage + 1) * 2 * per_epoch
        counts = {step: count for step, count in watch.at if begin < step <= end}
        settled = next(count for step, count in counts.items() if step > begin + per_epoch)
        assert counts[end] == settled, seen[settled: counts[end]]


def test_two_fits_of_one_config_share_their_programs():
    given = config(*stages(), optim__epochs=4, data__val_per_class=1, data__imbalance=20.0)
    fit(given)
    with compilations() as seen:
        fit({**given, "seed": 5})
    assert not seen
