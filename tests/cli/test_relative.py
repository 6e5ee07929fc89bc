"""`ltjax evaluate --reference`: accuracy divided by what a balanced set of the same size allows."""

import json

TRAIN = ("train", "--config", "digits_lt:ir=50", "--set", "optim.epochs=3")


def test_accuracy_is_divided_by_the_better_reference_of_the_same_seed(ltjax):
    ltjax(*TRAIN, "--root", "tail", "--loss", "balanced_softmax")
    for loss in ("ce", "balanced_softmax"):
        ltjax(*TRAIN, "--root", "even", "--loss", loss, "--set", "data.imbalance=1", "--set", "data.largest=33")
    found = json.loads(ltjax("evaluate", "tail", "--json").out)[0]["metrics"]
    upper = max(r["metrics"]["accuracy"] for r in json.loads(ltjax("evaluate", "even", "--json").out))
    relative = json.loads(ltjax("evaluate", "tail", "--reference", "even", "--json").out)[0]["metrics"]["relative"]
    assert relative["upper_reference"] == upper
    assert relative["relative_accuracy"] == found["accuracy"] / upper
    assert "relative" in ltjax("evaluate", "tail", "--reference", "even").out


def test_a_reference_of_another_seed_is_no_reference(ltjax):
    ltjax(*TRAIN, "--root", "tail")
    ltjax(*TRAIN, "--root", "even", "--set", "seed=1", "--set", "data.imbalance=1", "--set", "data.largest=33")
    outcome = ltjax("evaluate", "tail", "--reference", "even")
    assert outcome.code == 2
    assert "no finished run of 'erm' or of the same method with seed [0]" in outcome.err
