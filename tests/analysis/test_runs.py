import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from ltjax.analysis import RunError, find_runs, group_runs, load_run
from ltjax.analysis.groups import mismatches, same_test_set
from tests.analysis.factory import run_folder, write


def test_a_finished_run_comes_back_with_everything_it_holds(tmp_path):
    folder = run_folder(tmp_path, "ldam", seed=3, outputs=True, epochs=4)
    run = load_run(folder)
    assert (run.seed, run.label, run.done, run.path) == (3, "ldam", True, folder)
    assert run.metrics["accuracy"] == pytest.approx(38 / 60)
    assert [row["epoch"] for row in run.train] == [1.0, 2.0, 3.0, 4.0]
    assert len(run.val) == 4
    assert run.counts.tolist() == [200, 150, 60, 30, 10, 5]
    assert run.class_names[5] == "class 5"
    assert run.thresholds == (100, 20)
    assert run.seconds == 65.0
    assert run.env["device"] == "cpu x1"
    assert set(run.outputs()) == {"test_logits", "test_label", "test_rows"}
    with pytest.raises(dataclasses.FrozenInstanceError):
        run.seed = 1


def test_a_last_line_cut_off_by_a_kill_is_dropped(tmp_path):
    folder = run_folder(tmp_path, epochs=3, val=False)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "train", "step": 40, "lo')
    assert [row["step"] for row in load_run(folder).train] == [10, 20, 30]


def test_a_broken_line_in_the_middle_is_an_error_with_its_number(tmp_path):
    folder = run_folder(tmp_path)
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    lines[1] = lines[1][:10]
    (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(RunError, match="line 2, is no JSON"):
        load_run(folder)


def test_folders_that_are_no_finished_run_are_told_apart_in_words(tmp_path):
    with pytest.raises(FileNotFoundError, match="not a folder"):
        load_run(tmp_path / "nothing")
    with pytest.raises(RunError, match=r"no config\.json"):
        load_run(tmp_path)
    with pytest.raises(RunError, match="not finished"):
        load_run(run_folder(tmp_path, done=False))
    with pytest.raises(FileNotFoundError, match="such as runs/"):
        find_runs(tmp_path / "nothing")


def test_an_unfinished_run_can_be_read_on_request(tmp_path):
    run = load_run(run_folder(tmp_path, done=False), unfinished=True)
    assert not run.done
    assert run.metrics == {}
    assert len(run.train) == 20


@pytest.mark.parametrize(("file", "text", "words"), [
    ("config.json", '{"seed": 0, "ident', "no complete JSON"),
    ("config.json", "[]", "must hold a JSON object"),
    ("config.json", '{"seed": 0}', "has no 'identity'"),
    ("config.json", '{"seed": "0", "identity": "a"}', "whole number"),
    ("split.json", '{"counts": []}', "has no list 'counts'"),
    ("split.json", '{"counts": [1, -2]}', "has no list 'counts'"),
    ("split.json", '{"counts": [1, "x"]}', "has no list 'counts'"),
    ("test.json", "{}", "has no 'metrics'"),
    ("test.json", "[" * 100_000, "no complete JSON"),
    ("metrics.jsonl", "1\n", "must be a JSON object"),
])
def test_a_damaged_file_is_named(tmp_path, file, text, words):
    folder = run_folder(tmp_path)
    (folder / file).write_text(text)
    with pytest.raises(RunError, match=words) as caught:
        load_run(folder)
    assert file in str(caught.value)


def test_a_missing_test_json_of_a_done_run_is_an_error(tmp_path):
    folder = run_folder(tmp_path)
    (folder / "test.json").unlink()
    with pytest.raises(RunError, match=r"test\.json is missing"):
        load_run(folder)


def test_finding_leaves_out_unfinished_and_damaged_runs_and_says_so(tmp_path):
    for seed in (1, 0):
        run_folder(tmp_path, seed=seed)
    waiting = run_folder(tmp_path, "focal", done=False)
    damaged = run_folder(tmp_path, "ldam")
    (damaged / "test.json").write_text('{"metrics": {')
    runs = find_runs(tmp_path)
    assert [run.seed for run in runs] == [0, 1]
    assert runs.unfinished == [waiting]
    assert runs.unreadable[0][0] == damaged
    assert "1 unfinished run was left out" in runs.notes[0]
    assert "1 damaged run was left out" in runs.notes[1]


def test_a_run_that_overlapping_folders_name_twice_is_read_once(tmp_path):
    folder = run_folder(tmp_path)
    assert len(find_runs([tmp_path, folder, tmp_path])) == 1


def test_a_damaged_run_that_is_named_itself_raises(tmp_path):
    folder = run_folder(tmp_path)
    (folder / "test.json").write_text("{")
    with pytest.raises(RunError, match="no complete JSON"):
        find_runs([folder])


def test_outputs_never_unpickle(tmp_path):
    folder = run_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match="did not store its outputs"):
        load_run(folder).outputs()
    np.savez(folder / "outputs.npz", test_logits=np.array([{"a": 1}], dtype=object))
    with pytest.raises(RunError, match="more than plain arrays"):
        load_run(folder).outputs()
    with (folder / "outputs.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(RunError, match="damaged"):
        load_run(folder).outputs()
    (folder / "outputs.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(RunError, match="damaged"):
        load_run(folder).outputs()


def test_names_cannot_carry_control_characters(tmp_path):
    run = load_run(run_folder(tmp_path, "a\x1b[31mb", class_names=["x\x07"] * 6, identity="0" * 16))
    assert "\x1b" not in run.label
    assert "\x07" not in run.class_names[0]


def test_only_runs_of_equal_identity_are_grouped_and_equal_labels_told_apart(tmp_path):
    for seed in (1, 0):
        run_folder(tmp_path, seed=seed, identity="aaaaaaaa")
    run_folder(tmp_path / "slower", seed=0, identity="bbbbbbbb", epochs=40)
    groups = {group.label: group.seeds for group in group_runs(find_runs(tmp_path))}
    assert groups == {"erm [bbbbbb]": (0,), "erm [aaaaaa]": (0, 1)}


def test_a_seed_that_stands_twice_counts_once_and_is_told(tmp_path):
    run_folder(tmp_path / "a", seed=0)
    run_folder(tmp_path / "b", seed=0)
    group, = group_runs(find_runs(tmp_path))
    assert group.seeds == (0,)
    assert "seed 0 stands in two folders" in group.notes[0]


@pytest.mark.parametrize(("change", "words"), [
    ({"epochs": 40}, "other epochs (40 against 20)"),
    ({"batch": 64}, "other batch (64 against 32)"),
    ({"train_sha256": "others"}, "other training rows"),
    ({"config": {"model": {"name": "resnet32"}}}, "other model"),
    ({"config": {"eval": {"groups": [50, 20], "bins": 15}}}, "other shot groups"),
])
def test_what_differs_between_two_groups_is_named(tmp_path, change, words):
    run_folder(tmp_path, "erm")
    run_folder(tmp_path, "ldam", **change)
    reference, other = group_runs(find_runs(tmp_path))
    assert mismatches(other, reference) == [words]
    assert mismatches(reference, reference) == []
    assert same_test_set(other, reference)


def test_training_rows_are_compared_seed_by_seed(tmp_path):
    for seed, rows in ((0, "first"), (1, "second")):
        run_folder(tmp_path, "erm", seed, train_sha256=rows)
        run_folder(tmp_path, "ldam", seed, train_sha256=rows)
        run_folder(tmp_path, "focal", seed, train_sha256="first")
    erm, focal, ldam = group_runs(find_runs(tmp_path))
    assert mismatches(ldam, erm) == []
    assert mismatches(focal, erm) == ["other training rows"]


def test_another_test_set_is_seen(tmp_path):
    run_folder(tmp_path, "erm")
    run_folder(tmp_path, "ldam", test_counts=(10, 10, 10, 10, 10, 20))
    reference, other = group_runs(find_runs(tmp_path))
    assert not same_test_set(other, reference)
    assert mismatches(other, reference) == ["other test counts"]


def test_huge_and_non_finite_numbers_count_as_missing(tmp_path):
    folder = run_folder(tmp_path)
    test = json.loads((folder / "test.json").read_text())
    test["metrics"]["nll"] = 10**400
    write(folder / "test.json", test)
    from ltjax.analysis import comparison

    assert comparison(find_runs(tmp_path)).rows[0].scores["nll"].mean is None


def test_the_room_imports_neither_jax_nor_the_slow_libraries():
    code = ("import sys, ltjax.analysis; "
            "print([m for m in ('jax', 'flax', 'matplotlib', 'jinja2', 'rich', 'scipy') "
            "if m in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
