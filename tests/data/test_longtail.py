"""Class counts, which rows are kept, validation rows."""

# ruff: noqa: NPY002 (the released code draws from the global generator)

import numpy as np
import pytest

from ltjax.data.longtail import (
    Protocol,
    class_counts,
    order_counts,
    ranked_rows,
    split_validation,
    subset_rows,
)
from ltjax.registry import ConfigError

CIFAR10 = {
    10: "5000 3871 2997 2320 1796 1391 1077 834 645 500",
    50: "5000 3237 2096 1357 878 568 368 238 154 100",
    100: "5000 2997 1796 1077 645 387 232 139 83 50",
    200: "5000 2775 1540 854 474 263 146 81 45 25",
}
CIFAR100_100 = """
500 477 455 434 415 396 378 361 344 328 314 299 286 273 260 248 237 226 216 206 197 188 179 171 163 156 149
142 135 129 123 118 112 107 102 98 93 89 85 81 77 74 70 67 64 61 58 56 53 51 48 46 44 42 40 38 36 35 33 32
30 29 27 26 25 24 23 22 21 20 19 18 17 16 15 15 14 13 13 12 12 11 11 10 10 9 9 8 8 7 7 7 6 6 6 6 5 5 5 5
"""
CIFAR100_200 = """
500 473 449 425 403 382 362 343 325 308 292 277 263 249 236 224 212 201 190 180 171 162 154 146 138 131 124
117 111 105 100 95 90 85 81 76 72 69 65 62 58 55 52 50 47 44 42 40 38 36 34 32 30 29 27 26 24 23 22 21 20 19
18 17 16 15 14 13 13 12 11 11 10 10 9 9 8 8 7 7 6 6 6 5 5 5 5 4 4 4 4 3 3 3 3 3 2 2 2 2
"""


def numbers(text):
    return [int(word) for word in text.split()]


@pytest.mark.parametrize("imbalance", CIFAR10)
def test_cifar10_counts_are_the_published_ones(imbalance):
    assert class_counts(10, 5000, imbalance).tolist() == numbers(CIFAR10[imbalance])


@pytest.mark.parametrize(("imbalance", "text"), [(100, CIFAR100_100), (200, CIFAR100_200)])
def test_cifar100_counts_are_the_published_ones(imbalance, text):
    assert class_counts(100, 500, imbalance).tolist() == numbers(text)


@pytest.mark.parametrize(("classes", "largest", "imbalance", "total", "groups"), [
    (10, 5000, 10, 20431, (10, 0, 0)), (10, 5000, 20, 17023, None), (10, 5000, 50, 13996, (9, 1, 0)),
    (10, 5000, 100, 12406, (8, 2, 0)), (10, 5000, 200, 11203, (7, 3, 0)),
    (100, 500, 10, 19573, (69, 31, 0)), (100, 500, 20, 15907, None), (100, 500, 50, 12608, (41, 41, 18)),
    (100, 500, 100, 10847, (35, 35, 30)), (100, 500, 200, 9502, (30, 31, 39)),
    (10, 6000, 10, 24516, None), (10, 6000, 50, 16796, None), (10, 6000, 100, 14886, None),
    (10, 6000, 200, 13444, None),
])
def test_totals_and_group_sizes_are_the_published_ones(classes, largest, imbalance, total, groups):
    counts = class_counts(classes, largest, imbalance)
    assert counts.sum() == total
    if groups:
        many, few = (counts > 100).sum(), (counts < 20).sum()
        assert (many, classes - many - few, few) == groups


def test_exp_counts_may_truncate_to_zero():
    assert class_counts(4, 100, 200).tolist() == [100, 17, 2, 0]


def test_step_keeps_the_first_half_and_gives_an_odd_class_to_the_tail():
    assert class_counts(4, 100, 100, "step").tolist() == [100, 100, 1, 1]
    assert class_counts(5, 100, 10, "step").tolist() == [100, 100, 10, 10, 10]
    assert class_counts(1, 100, 10, "step").tolist() == [100]


def test_pareto_has_the_wished_ends_and_falls():
    counts = class_counts(100, 500, 100, "pareto")
    assert (counts[0], counts[-1]) == (500, 5)
    assert np.all(np.diff(counts) <= 0)


def test_pareto_is_close_to_the_published_imagenet_list():
    counts = class_counts(1000, 1280, 256, "pareto")  # published: 115,846 images; 385 many, 136 few
    assert abs(counts.sum() / 115_846 - 1) < 0.11
    assert abs((counts > 100).sum() - 385) < 40
    assert abs((counts < 20).sum() - 136) < 40


@pytest.mark.parametrize("profile", ["exp", "step", "pareto"])
def test_imbalance_one_is_balanced(profile):
    assert class_counts(7, 30, 1.0, profile).tolist() == [30] * 7


@pytest.mark.parametrize(("kwargs", "sentence"), [
    ({"imbalance": 0.5}, "imbalance=0.5 must be finite and at least 1"),
    ({"imbalance": float("inf")}, "imbalance=inf must be finite"),
    ({"profile": "exq"}, "Did you mean 'exp'"),
    ({"largest": 0}, "largest=0 must both be at least 1"),
])
def test_bad_profiles_are_refused_in_one_sentence(kwargs, sentence):
    with pytest.raises(ConfigError, match=sentence):
        class_counts(**{"classes": 10, "largest": 100, "imbalance": 10.0, **kwargs})


def test_orders_deal_the_counts_out():
    counts, available = np.array([30, 20, 10]), np.array([50, 90, 50])
    assert order_counts(counts, available, "label").tolist() == [30, 20, 10]
    assert order_counts(counts, available, "size").tolist() == [20, 30, 10]
    shuffled = [order_counts(counts, available, "shuffled", seed).tolist() for seed in range(6)]
    assert all(sorted(deal) == [10, 20, 30] for deal in shuffled)
    assert len({tuple(deal) for deal in shuffled}) > 1
    with pytest.raises(ConfigError, match="Did you mean 'shuffled'"):
        order_counts(counts, available, "shufled")


def released_code(targets, counts, seed):
    """The selection of the benchmark's released data set class, written out with the global generator."""
    state = np.random.get_state()
    np.random.seed(seed)
    selected = []
    for c, count in zip(np.unique(targets), counts):
        idx = np.where(targets == c)[0]
        np.random.shuffle(idx)
        selected += idx[:count].tolist()
    np.random.set_state(state)
    return selected


@pytest.mark.parametrize("seed", [0, 7])
def test_rows_are_those_of_the_released_code(seed):
    labels = np.random.default_rng(1).integers(0, 10, 3000)
    counts = class_counts(10, int(np.bincount(labels).min()), 20.0)
    assert subset_rows(labels, counts, seed).tolist() == released_code(labels, counts, seed)


def test_drawing_rows_leaves_the_global_generator_alone():
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    subset_rows(np.repeat(np.arange(3), 10), np.array([5, 3, 1]))
    assert np.array_equal(np.random.get_state()[1], before)


def test_subsets_of_one_seed_are_nested_in_the_imbalance():
    labels = np.random.default_rng(2).permutation(np.repeat(np.arange(5), 200))
    small, large = (set(subset_rows(labels, class_counts(5, 200, ir)).tolist()) for ir in (100, 10))
    assert small < large


def test_a_file_with_ranks_gives_the_rows_of_the_whole_set_in_the_same_order():
    labels = np.random.default_rng(3).permutation(np.repeat(np.arange(5), 100))
    held = subset_rows(labels, class_counts(5, 100, 10))  # what such a file holds
    rank = np.concatenate([np.arange(count) for count in np.bincount(labels[held])])
    stored = np.argsort(held)  # it may hold them in any order
    held, rank = held[stored], rank[stored]
    for imbalance in (10, 50):
        counts = class_counts(5, 100, imbalance)
        assert held[ranked_rows(labels[held], rank, counts)].tolist() == subset_rows(labels, counts).tolist()
    with pytest.raises(ConfigError, match="raise the imbalance"):
        ranked_rows(labels[held], rank, class_counts(5, 100, 5))


def test_counts_beyond_what_exists_are_refused():
    labels = np.repeat(np.arange(3), 10)
    with pytest.raises(ConfigError, match=r"class 1 has 10, asked 11"):
        subset_rows(labels, [10, 11, 3])
    with pytest.raises(ConfigError, match="2 counts were given for 3 classes"):
        subset_rows(labels, [10, 3])
    with pytest.raises(ConfigError, match="count of class 2 is -1"):
        subset_rows(labels, [10, 3, -1])


def test_validation_rows_are_stratified_disjoint_and_complete():
    labels = np.repeat(np.arange(4), [40, 20, 10, 4])
    train, val = split_validation(labels, per_class=3)
    assert np.bincount(labels[val]).tolist() == [3, 3, 3, 3]
    assert sorted([*train, *val]) == list(range(74))
    train, val = split_validation(labels, share=0.1)
    assert np.bincount(labels[val]).tolist() == [4, 2, 1, 1]  # 0.4 rows become one
    assert np.all(np.diff(train) > 0)


def test_validation_rows_have_a_seed_of_their_own():
    labels = np.repeat(np.arange(4), [40, 20, 10, 4])
    draws = [split_validation(labels, per_class=2, seed=seed)[1].tolist() for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]


def test_singleton_classes_cannot_give_validation_rows():
    labels = np.repeat(np.arange(3), [10, 5, 1])
    for options in ({"per_class": 1}, {"share": 0.1}):
        with pytest.raises(ConfigError, match="class 2 has 1 rows, too few to give 1 to validation"):
            split_validation(labels, **options)
    with pytest.raises(ConfigError, match="exclude each other"):
        split_validation(labels, per_class=1, share=0.1)
    with pytest.raises(ConfigError, match=r"lie in \[0, 1\)"):
        split_validation(labels, share=1.0)


def test_the_protocol_says_what_it_does():
    available = np.array([90, 50, 70])
    assert Protocol().class_counts(available).tolist() == [90, 50, 70]
    assert Protocol(counts=(5, 4, 3)).class_counts(available).tolist() == [5, 4, 3]
    assert Protocol(imbalance=9.0).class_counts(available).tolist() == [90, 30, 10]
    assert sorted(Protocol(imbalance=10.0, order="shuffled").class_counts(available).tolist()) == [5, 15, 50]
    assert [Protocol().kind, Protocol(imbalance=2.0).kind, Protocol(counts=(1,)).kind] == [
        "as_is", "longtail", "counts"]
    assert Protocol().record()["profile"] is None
