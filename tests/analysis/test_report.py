import re
from html.parser import HTMLParser

import pytest

from ltjax.analysis import find_runs
from ltjax.analysis.report import write_report
from tests.analysis.factory import run_folder

HOSTILE = "</title><script>alert(1)</script>"


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text, self.open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text.append(data)


def report(tmp_path, **options):
    return write_report(find_runs(tmp_path), tmp_path / "out" / "report.html", **options).read_text()


def test_the_page_shows_table_notes_pictures_and_provenance(tmp_path):
    for seed in (0, 1):
        run_folder(tmp_path, "erm", seed)
        run_folder(tmp_path, "ldam", seed, epochs=30, correct=(10, 9, 8, 6, 6, 5 + seed))
    run_folder(tmp_path, "focal", done=False)
    text = report(tmp_path, title="Toy comparison")
    page = Page(text)
    words = " ".join(page.text)
    assert page.text[page.text.index("Toy comparison")]
    for expected in ("ldam is not on equal terms with erm", "1 unfinished run was left out", "2 classes",
                     "95 % t-interval", "455 examples for training", "1 min 05 s", "cpu x1", "jax 0.10.2",
                     "How to read this", "2023-11-14 22:13", str(tmp_path / "toy" / "erm")):
        assert expected in words, expected
    assert page.tags.count("svg") == 7
    assert page.tags.count("details") == 1


def test_the_page_loads_nothing_and_runs_nothing(tmp_path):
    run_folder(tmp_path, "erm")
    text = report(tmp_path)
    page = Page(text)
    assert "://" not in text
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    addresses = [value for name, value in page.attributes if name in ("href", "src", "xlink:href")]
    assert all(value.startswith(("#", "data:image/png;base64,")) for value in addresses)
    assert "default-src 'none'" in text
    assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_hostile_strings_from_json_stay_text(tmp_path):
    names = [HOSTILE, "<img src=x onerror=alert(1)>", '" onload="alert(1)', "{{ 7 * 7 }}", "$x_$", "c"]
    run_folder(tmp_path, HOSTILE, class_names=names, identity="<i>" * 6,
               config={"data": {"name": HOSTILE, "imbalance": "<b>"}, "model": {"name": "<u>x</u>"}})
    text = report(tmp_path, title=HOSTILE)
    page = Page(text)
    assert not {"script", "img", "i", "u"} & set(page.tags)
    assert page.tags.count("b") == text.count('<div class="tile"><b>')
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "49" not in "".join(t for t in page.text if "{{" in t)
    assert "{{ 7 * 7 }}" in "".join(page.text)


def test_ids_are_unique_and_every_reference_has_its_target(tmp_path):
    run_folder(tmp_path, "erm")
    text = report(tmp_path)
    ids = re.findall(r'\bid="([^"]+)"', text)
    used = set(re.findall(r'url\(#([^)]+)\)', text)) | set(re.findall(r'href="#([^"]+)"', text))
    assert len(ids) == len(set(ids))
    assert used <= set(ids)


def test_the_same_runs_give_the_same_bytes(tmp_path):
    run_folder(tmp_path, "erm")
    assert report(tmp_path) == report(tmp_path)


def test_a_hundred_classes_and_ten_methods_stay_below_four_megabytes(tmp_path):
    counts = tuple(int(500 * 0.01 ** (k / 99)) for k in range(100))
    for m in range(10):
        run_folder(tmp_path, f"method{m}", counts=counts, correct=(5,) * 100,
                   test_counts=(10,) * 100, epochs=200)
    text = report(tmp_path, baseline="method0")
    assert len(text.encode()) < 4_000_000
    assert "the first 7 of 10 rows" in text


def test_different_data_sets_get_a_section_each(tmp_path):
    run_folder(tmp_path / "a", "erm", identity="a" * 16)
    run_folder(tmp_path / "b", "erm", identity="b" * 16, config={"data": {"name": "other", "imbalance": 10}})
    page = Page(report(tmp_path))
    assert page.tags.count("h2") == 3
    assert "other, imbalance 10" in page.text


def test_a_failed_write_leaves_the_old_report_and_no_litter(tmp_path, monkeypatch):
    run_folder(tmp_path / "runs", "erm")
    target = tmp_path / "report.html"
    target.write_text("old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_report(find_runs(tmp_path / "runs"), target)
    assert target.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["report.html", "runs"]


def test_nothing_to_report_and_a_folder_as_target_are_refused_in_words(tmp_path):
    with pytest.raises(ValueError, match="no finished run"):
        write_report([], tmp_path / "report.html")
    run_folder(tmp_path, "erm")
    with pytest.raises(ValueError, match="is a folder"):
        write_report(find_runs(tmp_path), tmp_path)
