"""Single samplers: what each promises beyond the contract."""

import dataclasses

import numpy as np
import pytest

from ltjax import registry
from ltjax.samplers.base import OTHER, STREAMS, Draw
from ltjax.samplers.in_batch import pair_probabilities
from ltjax.samplers.streams import hashed, permutations, uniforms

LABELS = np.repeat([0, 1, 2], [12, 6, 2])
DRAW = Draw(LABELS, 3, 8, seed=1, steps=100, steps_per_epoch=2)


def make(name, draw=DRAW, **options):
    return registry.get("sampler", name).fn(draw, **options)


def test_shuffle_shows_every_row_once_before_any_row_twice():
    rows = make("shuffle").plan(0, 5).ravel()
    assert sorted(rows[:20]) == sorted(rows[20:]) == list(range(20))
    assert rows[:20].tolist() != rows[20:].tolist()


def test_shuffle_serves_batches_larger_than_the_data():
    rows = make("shuffle", dataclasses.replace(DRAW, batch=50)).plan(0, 1).ravel()
    assert np.bincount(rows).min() == 2
    assert np.bincount(rows).max() == 3


def test_power_reaches_from_the_data_to_the_reverse():
    for gamma, expected in ((1.0, [12, 6, 2]), (0.0, [1, 1, 1]), (-1.0, [1, 2, 6])):
        p = make("power", gamma=gamma).probabilities()
        np.testing.assert_allclose(p, np.array(expected) / sum(expected))
    np.testing.assert_allclose(make("power", gamma=0.5).probabilities(), make("square_root").probabilities())
    np.testing.assert_allclose(make("power", gamma=-1.0).probabilities(), make("reversed").probabilities())


def test_progressive_ends_balanced_only_if_it_reaches_the_end():
    np.testing.assert_allclose(make("progressive").probabilities(0), [0.6, 0.3, 0.1])
    np.testing.assert_allclose(make("progressive").probabilities(99), [1 / 3] * 3)
    by_text = make("progressive", reach_end=False).probabilities(99)
    np.testing.assert_allclose(by_text, 0.02 * np.array([0.6, 0.3, 0.1]) + 0.98 / 3)


def test_progressive_keeps_its_shares_through_an_epoch():
    sampler = make("progressive")
    np.testing.assert_array_equal(sampler.probabilities(2), sampler.probabilities(3))
    assert (sampler.probabilities(3) != sampler.probabilities(4)).any()


def test_effective_number_lies_between_the_data_and_balance():
    np.testing.assert_allclose(make("effective_number", beta=0.0).probabilities(), [0.6, 0.3, 0.1])
    np.testing.assert_allclose(make("effective_number", beta=1.0).probabilities(), [1 / 3] * 3)
    weights = np.array([12, 6, 2]) * 0.1 / (1 - 0.9 ** np.array([12, 6, 2]))
    np.testing.assert_allclose(make("effective_number", beta=0.9).probabilities(), weights / weights.sum())


def test_class_aware_takes_four_rows_of_each_class_per_cycle():
    classes = LABELS[make("class_aware", dataclasses.replace(DRAW, batch=12)).plan(0, 40)].reshape(-1, 4)
    assert (classes == classes[:, :1]).all()
    cycles = classes[:, 0].reshape(-1, 3)
    assert (np.sort(cycles, axis=1) == [0, 1, 2]).all()
    assert len({tuple(c) for c in cycles}) == 6


def test_class_aware_goes_through_a_class_before_it_repeats_a_row():
    rows = make("class_aware").plan(0, 90).ravel()
    for c, size in enumerate((12, 6, 2)):
        mine = rows[LABELS[rows] == c]
        whole = mine[: mine.size // size * size].reshape(-1, size)
        assert (np.sort(whole, axis=1) == np.flatnonzero(c == LABELS)).all()
        assert len({tuple(w) for w in whole}) > 1


def test_deferred_resampling_shuffles_first_and_balances_then():
    sampler = make("deferred_resample", after=60, then={"name": "class_balanced"})
    np.testing.assert_array_equal(sampler.plan(0, 60), make("shuffle").plan(0, 60))
    np.testing.assert_array_equal(sampler.plan(60, 40), make("class_balanced").plan(60, 40))
    assert sampler.probabilities(59)[0] == 0.6
    assert sampler.probabilities(60)[0] == pytest.approx(1 / 3)


def test_a_share_of_the_stage_means_the_same_as_its_steps():
    np.testing.assert_array_equal(make("deferred_resample", after=0.6).plan(55, 10),
                                  make("deferred_resample", after=60).plan(55, 10))


def test_an_unknown_second_sampler_is_named_with_the_nearest():
    with pytest.raises(registry.ConfigError, match="Did you mean 'class_balanced'"):
        make("deferred_resample", then="class_balance")


def test_bad_labels_are_refused_in_one_sentence():
    with pytest.raises(ValueError, match=r"outside 0\.\.1"):
        Draw(LABELS, 2, 8)
    with pytest.raises(ValueError, match="whole-number labels"):
        Draw(LABELS / 2, 3, 8)
    with pytest.raises(ValueError, match="batch=0"):
        Draw(LABELS, 3, 0)


def test_several_labels_per_row_need_a_sampler_that_knows_them():
    draw = Draw(np.array([[1, 0, 2], [0, 1, 0]]), 3, 4)
    assert make("shuffle", draw).plan(0, 3).shape == (3, 4)
    with pytest.raises(registry.ConfigError, match="one class per row"):
        make("class_balanced", draw)


@pytest.mark.parametrize("width", [1, 2, 3, 5, 8])
def test_uniform_numbers_do_not_depend_on_where_a_chunk_begins(width):
    whole = uniforms(7, 1, 0, 50, width)
    for first, count in ((0, 50), (1, 3), (13, 22), (49, 1)):
        np.testing.assert_array_equal(uniforms(7, 1, first, count, width), whole[first: first + count])
    assert whole.min() >= 0
    assert whole.max() < 1


def test_uniform_numbers_are_uniform():
    u = uniforms(0, 0, 0, 1000, 100).ravel()
    assert abs(u.mean() - 0.5) < 5 * np.sqrt(1 / 12 / u.size)
    cells = np.bincount((u * 50).astype(int), minlength=50)
    assert ((cells - 2000) ** 2 / 2000).sum() < 49 + 5 * np.sqrt(2 * 49)


def test_hashed_words_are_as_even_as_random_ones():
    words = hashed(0, 0, np.arange(100)[:, None], np.arange(1000)[None, :])
    ones = ((words[..., None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)).mean((0, 1))
    assert np.abs(ones - 0.5).max() < 5 * 0.5 / np.sqrt(words.size)
    assert np.unique(words).size == words.size


def test_permutations_place_every_number_everywhere_equally_often():
    orders = permutations(0, 0, np.arange(6000), 5)
    assert (np.sort(orders, axis=1) == np.arange(5)).all()
    seen = np.stack([np.bincount(orders[:, place], minlength=5) for place in range(5)])
    assert np.abs(seen - 1200).max() < 5 * np.sqrt(6000 * 0.2 * 0.8)
    codes = orders @ (5 ** np.arange(5))
    assert np.unique(codes).size == 120


def test_negative_and_very_large_seeds_are_accepted():
    draws = [dataclasses.replace(DRAW, seed=s) for s in (-1, 0, 2**70 + 5)]
    plans = {make("class_aware", draw).plan(0, 9).tobytes() for draw in draws}
    assert len(plans) == 3


def test_oversampling_fills_every_class_up_with_its_own_rows():
    sampler = make("oversample", dataclasses.replace(DRAW, batch=36))
    rows = sampler.plan(0, 1).ravel()
    assert np.bincount(LABELS[rows]).tolist() == [12, 12, 12]
    assert np.unique(rows).size == 20
    half = LABELS[make("oversample", dataclasses.replace(DRAW, batch=24), ratio=0.5).plan(0, 1).ravel()]
    assert np.bincount(half).tolist() == [12, 6, 6]


def test_undersampling_leaves_the_same_rows_out_for_good():
    rows = make("undersample").plan(0, 50).ravel()
    assert np.bincount(LABELS[np.unique(rows)]).tolist() == [2, 2, 2]
    cut = np.unique(make("undersample", threshold=5).plan(0, 50))
    assert np.bincount(LABELS[cut]).tolist() == [5, 5, 2]
    others = [make("undersample", dataclasses.replace(DRAW, seed=seed)).plan(0, 9) for seed in range(9)]
    assert len({tuple(np.unique(other)) for other in others}) > 1


def test_repeat_factors_show_a_rare_row_as_often_as_they_say():
    """n = (12, 6, 2) of 20 and t = 0.4 give repeat factors 1, sqrt(4/3) and 2."""
    sampler = make("repeat_factor", threshold=0.4)
    np.testing.assert_allclose(sampler.repeat, np.repeat([1, np.sqrt(4 / 3), 2], [12, 6, 2]))
    shown = np.bincount(sampler.plan(0, 2000).ravel(), minlength=20) / (16000 / sampler.repeat.sum())
    np.testing.assert_allclose(shown, sampler.repeat, rtol=0.03)


def test_each_epoch_of_repeat_factors_has_whole_copies_and_chance_for_the_rest():
    sampler = make("repeat_factor", threshold=0.4)
    copies = [sampler._copies(epoch) for epoch in range(300)]
    assert all((c[:12] == 1).all() and (c[18:] == 2).all() and np.isin(c[12:18], (1, 2)).all() for c in copies)
    assert abs(np.mean([c[12:18].mean() for c in copies]) - np.sqrt(4 / 3)) < 5 * 0.37 / np.sqrt(1800)


def test_instances_count_beside_rows_in_instance_aware_repeat_factors():
    table = np.array([[1, 0], [1, 0], [1, 9], [0, 0]])
    draw = Draw(table, 2, 8)
    by_row = make("repeat_factor", draw, threshold=0.75).repeat
    aware = make("instance_aware_repeat_factor", draw, threshold=0.75).repeat
    assert by_row[2] == pytest.approx(np.sqrt(3))
    assert aware[2] == pytest.approx(np.sqrt(0.75 / np.sqrt(0.25 * 0.75)))
    assert by_row[3] == aware[3] == 1


def test_partners_in_the_batch_are_rows_of_that_batch():
    main = make("shuffle").plan(0, 40)
    partner = make("in_batch", dataclasses.replace(DRAW, stream=OTHER)).plan(0, 40)
    assert all(np.isin(p, m).all() for p, m in zip(partner, main))


def test_partners_in_the_batch_follow_the_main_sampler_of_every_stage():
    later = dataclasses.replace(DRAW, stream=2 * STREAMS)
    main = make("class_balanced", later).plan(0, 40)
    partner = make("in_batch", dataclasses.replace(later, stream=2 * STREAMS + OTHER), of="class_balanced")
    assert all(np.isin(p, m).all() for p, m in zip(partner.plan(0, 40), main))


def test_pair_probabilities_favour_rare_classes():
    np.testing.assert_allclose(pair_probabilities([100, 25, 100], -0.5), [0.25, 0.5, 0.25])
