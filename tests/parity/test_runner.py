"""The runner itself: what it must notice, and the copy of golden values against a source."""

import json

import numpy as np
import pytest

from . import golden, refresh
from .adapters import table

EXPECTED = {"loss": 2.0, "grad": [[1.0, 0.0], [3e-9, -4.0]], "ids": [1, 2], "none": None, "name": "a"}
GOT = {"loss": np.float64(2.0), "grad": np.asarray([[1.0, 0.0], [3e-9, -4.0]]), "ids": np.asarray([1, 2]),
       "none": None, "name": "a", "more": 1}


def found(dtype="float64", **changed):
    return golden.differences(EXPECTED, {**GOT, **changed}, dtype)


def test_equal_fields_agree_and_more_fields_are_welcome():
    assert found() == []


def test_a_field_that_the_adapter_does_not_return_is_named():
    got = {name: value for name, value in GOT.items() if name != "grad"}
    assert golden.differences(EXPECTED, got, "float64") == [": the adapter returns no 'grad'"]


@pytest.mark.parametrize(("name", "value"), [
    ("loss", 2.00001), ("grad", np.asarray([[1.0, 0.0], [3.1e-9, -4.0]])), ("grad", np.zeros(4)), ("ids", [1, 3]),
    ("none", 1.0), ("name", "b"), ("loss", np.nan)])
def test_a_wrong_value_shape_or_name_is_noticed(name, value):
    (line,) = found(**{name: value})
    assert line.startswith(f".{name}: ")


def test_float32_takes_its_floor_from_the_largest_entry():
    assert found("float32", grad=np.asarray([[1.00005, 3e-6], [2e-6, -4.0]])) == []
    assert found("float32", grad=np.asarray([[1.0, 6e-6], [3e-9, -4.0]])) != []
    assert golden.differences({"z": [0.0, 0.0]}, {"z": np.asarray([9e-6, 0])}, "float32") == []


def test_every_adapter_belongs_to_a_family_and_a_key():
    assert all(len(key.split("/")) == 2 for key in table())


def test_our_copy_is_small_and_keeps_numbers_parameters_and_source():
    for path in golden.files(golden.HERE.parent / "golden"):
        content = json.loads(path.read_text())
        assert path.stat().st_size < refresh.LIMIT
        assert set(content) <= {*refresh.KEPT, "cases"}
        assert content["cases"]


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source" / "rebalance"
    folder.mkdir(parents=True)
    content = {"key": "k", "family": "rebalance", "source": {"repo": "r"}, "notes": "a remark",
               "cases": [{"name": "one", "inputs": {}, "expected": {"loss": 1e-05}}]}
    (folder / "k.json").write_text(json.dumps(content))
    return tmp_path


def bring(folder, check=False):
    said = []
    left = refresh.refresh(folder / "source", folder / "copy", ("rebalance",), check, said.append)
    return left, said


def test_refresh_writes_what_check_then_finds_equal(source):
    assert bring(source, check=True)[0] == 1
    left, said = bring(source)
    assert (left, said[0]) == (0, "rebalance/k.json: written")
    assert bring(source, check=True)[0] == 0
    copied = json.loads((source / "copy" / "rebalance" / "k.json").read_text())
    assert "notes" not in copied
    assert copied["cases"][0]["expected"] == {"loss": 1e-05}


def test_check_names_changed_and_missing_and_left_over_files(source):
    bring(source)
    theirs, ours = source / "source" / "rebalance", source / "copy" / "rebalance"
    (theirs / "k.json").write_text((theirs / "k.json").read_text().replace("1e-05", "2e-05"))
    (theirs / "new.json").write_text((theirs / "k.json").read_text())
    (ours / "old.json").write_text("{}")
    left, said = bring(source, check=True)
    assert left == 3
    assert said[:3] == ["rebalance/k.json: changed at the source", "rebalance/new.json: missing in our copy",
                        "rebalance/old.json: only in our copy: delete it if the key is gone"]


@pytest.mark.parametrize("text", ["not json", '{"key": "k"}', "[]"])
def test_a_file_that_is_no_golden_file_is_refused_aloud(source, text):
    (source / "source" / "rebalance" / "bad.json").write_text(text)
    left, said = bring(source)
    assert left == 1
    assert said[0].startswith("rebalance/bad.json: refused, not a golden file")


def test_a_file_above_the_limit_is_refused_aloud(source, monkeypatch):
    monkeypatch.setattr(refresh, "LIMIT", 10)
    left, said = bring(source)
    assert left == 1
    assert "bytes are too many" in said[0]


def test_an_empty_source_says_what_it_must_hold(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no golden files"):
        refresh.refresh(tmp_path, tmp_path, ("rebalance",), True)


def test_an_empty_golden_folder_says_how_to_choose_another(tmp_path):
    with pytest.raises(FileNotFoundError, match="LTJAX_GOLDEN"):
        golden.files(tmp_path)
