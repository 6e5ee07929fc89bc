import csv
import io
import json
import math

import pytest

from ltjax.analysis import comparison, find_runs, load_run
from ltjax.analysis.groups import by_data
from ltjax.analysis.published import read_published
from tests.analysis.factory import run_folder

BETTER = (10, 9, 8, 6, 6, 5)
"""44 of 60 right: few .55 instead of .25."""

COLUMNS = "method,key,dataset,imbalance,split,metric,value,source_paper,source_table,reported_by\n"


def two_methods(root, seeds=(0, 1, 2)):
    for i, seed in enumerate(seeds):
        run_folder(root, "erm", seed, correct=(10, 9, 8, 6, 3, 2 + i))
        run_folder(root, "ldam", seed, correct=(10, 9, 8, 6, 6, 5 + i // 2))
    return find_runs(root)


def test_mean_spread_and_paired_difference_are_those_worked_out_by_hand(tmp_path):
    table = comparison(two_methods(tmp_path))
    erm, ldam = table.rows
    assert (erm.label, ldam.label, table.baseline) == ("erm", "ldam", "erm")
    assert erm.scores["all"].mean == pytest.approx((38 + 39 + 40) / 180)
    assert erm.scores["all"].sd == pytest.approx(1 / 60)
    assert erm.scores["few"].mean == pytest.approx((0.25 + 0.30 + 0.35) / 3)
    assert ldam.scores["many"].mean == pytest.approx(0.95)
    assert ldam.scores["many"].sd == pytest.approx(0.0)
    assert ldam.scores["nll"].mean == pytest.approx(1.25)
    # differences by seed: 44-38, 44-39, 45-40 of 60
    difference = ldam.differences["all"]
    assert difference.mean == pytest.approx(16 / 180)
    half = 4.302652729911275 * math.sqrt(1 / 3) / 60 / math.sqrt(3)
    assert (difference.low, difference.high) == pytest.approx((16 / 180 - half, 16 / 180 + half))
    assert difference.n == 3
    assert erm.differences["all"] is None


def test_an_empty_group_is_a_dash_with_its_class_count_in_the_heading(tmp_path):
    run_folder(tmp_path, "erm", counts=(200, 150, 60, 30, 25, 22))
    table = comparison(find_runs(tmp_path))
    assert table.titles["few"] == "few (0 classes)"
    assert table.titles["many"] == "many (2 classes)"
    assert table.rows[0].scores["few"].mean is None
    line = table.markdown().splitlines()[2].split(" | ")
    assert line[5] == "–"
    assert line[2] == "63.3 ± -"


def test_one_class_is_singular(tmp_path):
    run_folder(tmp_path, "erm", counts=(200, 150, 60, 30, 25, 5))
    assert comparison(find_runs(tmp_path)).titles["few"] == "few (1 class)"


def test_rows_stand_baseline_first_and_then_by_the_chosen_column(tmp_path):
    run_folder(tmp_path, "erm")
    run_folder(tmp_path, "heads", correct=(10, 10, 10, 10, 2, 2))
    run_folder(tmp_path, "tails", correct=(10, 9, 8, 6, 5, 5))
    runs = find_runs(tmp_path)
    assert [row.label for row in comparison(runs).rows] == ["erm", "heads", "tails"]
    assert [row.label for row in comparison(runs, sort="few").rows] == ["erm", "tails", "heads"]
    with pytest.raises(ValueError, match="sort='fewest' is not a column"):
        comparison(runs, sort="fewest")


@pytest.mark.parametrize(("change", "words"), [
    ({"epochs": 40}, "other epochs (40 against 20)"),
    ({"batch": 64}, "other batch (64 against 32)"),
    ({"train_sha256": "others"}, "other training rows"),
])
def test_unequal_terms_become_a_marked_note_in_every_rendering(tmp_path, change, words):
    run_folder(tmp_path, "erm")
    run_folder(tmp_path, "ldam", **change)
    table = comparison(find_runs(tmp_path))
    assert table.notes == (f"ldam is not on equal terms with erm: {words}.",)
    assert table.rows[1].marks == (1,)
    assert table.rows[1].differences["all"].mean == pytest.approx(0)
    assert "| ldam ¹ |" in table.markdown()
    assert words in table.csv()
    assert json.loads(table.json())["rows"][1]["notes"] == [1]
    assert words in shown(table, 200)


def test_no_difference_is_given_on_another_test_set(tmp_path):
    run_folder(tmp_path, "erm")
    run_folder(tmp_path, "ldam", test_counts=(10, 10, 10, 10, 10, 40))
    table = comparison(find_runs(tmp_path))
    assert table.rows[1].differences["all"] is None
    assert any("another test set" in note for note in table.notes)
    assert any("other test counts" in note for note in table.notes)


def test_seeds_without_a_partner_are_told(tmp_path):
    for seed in (0, 1):
        run_folder(tmp_path, "erm", seed)
        run_folder(tmp_path, "ldam", seed + 1)
    run_folder(tmp_path, "focal", 7)
    table = comparison(find_runs(tmp_path))
    rows = {row.label: row for row in table.rows}
    assert rows["ldam"].differences["all"].n == 1
    assert rows["focal"].differences["all"] is None
    assert "ldam: the difference is paired over the seeds in common only: 1." in table.notes
    assert "focal and erm have no seed in common: no paired difference." in table.notes


def test_a_missing_baseline_and_unfinished_runs_are_told(tmp_path):
    run_folder(tmp_path, "ldam")
    run_folder(tmp_path, "focal", done=False)
    table = comparison(find_runs(tmp_path))
    assert table.baseline is None
    assert any("1 unfinished run was left out" in note for note in table.notes)
    assert any("No run is labelled 'erm'" in note for note in table.notes)
    assert "Δ" not in table.markdown()
    with pytest.raises(ValueError, match="no finished run"):
        comparison([])


def test_an_unfinished_run_given_by_hand_is_left_out_and_told(tmp_path):
    done = load_run(run_folder(tmp_path, "erm"))
    waiting = load_run(run_folder(tmp_path, "focal", done=False), unfinished=True)
    table = comparison([done, waiting])
    assert [row.label for row in table.rows] == ["erm"]
    assert "1 unfinished run was left out" in table.notes[0]


def test_post_hoc_rules_known_test_priors_and_overridden_guards_are_told(tmp_path):
    run_folder(tmp_path, "erm")
    run_folder(tmp_path, "adjusted", posthoc=[{"name": "logit_adjust", "target_log_prior": [0.0]}],
               config={"eval": {"groups": [100, 20], "bins": 15, "force": True}})
    notes = comparison(find_runs(tmp_path)).notes
    assert "adjusted: numbers after the post-hoc rule logit_adjust." in notes
    assert "adjusted knows the class prior of the test set." in notes
    assert any("twice was overridden" in note for note in notes)


def test_the_legend_says_what_the_numbers_are(tmp_path):
    legend = " ".join(comparison(two_methods(tmp_path)).legend)
    for words in ("sample standard deviation", "95 % t-interval", "more than 100", "fewer than 20",
                  "4 bins (equal width) and 60 test examples", "last epoch of 20", "no proof of equality"):
        assert words in legend


def test_csv_holds_plain_numbers_and_empty_cells(tmp_path):
    rows = list(csv.DictReader(io.StringIO(comparison(two_methods(tmp_path)).csv())))
    assert [row["method"] for row in rows] == ["erm", "ldam"]
    assert float(rows[0]["all"]) == pytest.approx(0.65)
    assert float(rows[1]["difference_all"]) == pytest.approx(16 / 180)
    assert rows[0]["difference_all"] == ""
    assert rows[1]["difference_few_seeds"] == "3"


def test_csv_labels_are_no_formulas_for_a_spreadsheet(tmp_path):
    run_folder(tmp_path, "=cmd()")
    row, = csv.DictReader(io.StringIO(comparison(find_runs(tmp_path)).csv()))
    assert row["method"] == "'=cmd()"


def test_json_holds_the_values_of_the_single_seeds(tmp_path):
    whole = json.loads(comparison(two_methods(tmp_path)).json())
    assert whole["rows"][0]["values"]["all"] == pytest.approx({"0": 38 / 60, "1": 39 / 60, "2": 40 / 60})
    assert whole["rows"][0]["scores"]["few"]["n"] == 3
    assert whole["level"] == 0.95


def test_markdown_escapes_what_a_label_could_break(tmp_path):
    run_folder(tmp_path, "a|b<script>_c")
    assert "| a\\|b&lt;script>\\_c |" in comparison(find_runs(tmp_path)).markdown()


def test_the_terminal_shows_what_fits_and_names_the_rest(tmp_path):
    run_folder(tmp_path, "[red]x[/red]")
    table = comparison(two_methods(tmp_path))
    wide, narrow = shown(table, 200), shown(table, 80)
    assert "Δ few" in wide
    assert "Not shown for want of width" not in wide
    assert "Not shown for want of width" in narrow
    assert all(len(line) <= 80 for line in narrow.splitlines())
    for text in (wide, narrow):
        assert "[red]x[/red]" in text
        assert "few" in text


def test_published_figures_stand_beside_with_their_source(tmp_path):
    runs = two_methods(tmp_path / "runs")
    file = tmp_path / "papers.csv"
    file.write_text(COLUMNS + "CE,cross_entropy,toy_lt,40,all,top1_acc,38.3,A (2019),Table 2,reproduced\n"
                    "CE,cross_entropy,toy_lt,40,all,top1_acc,39.9,B (2020),Table 1,original\n"
                    "CE,cross_entropy,toy_lt,10,all,top1_acc,55.7,A (2019),Table 2,original\n"
                    "LDAM,ldam,toy_lt,40,few,top1_acc,21.5,A (2019),Table 3,original\n"
                    "LDAM,ldam,toy_lt,40,all,mask_AP,11.0,A (2019),Table 3,original\n")
    table = comparison(runs, published=read_published(file))
    erm, ldam = table.rows
    assert [figure.value for figure in erm.published["all"]] == [39.9, 38.3]
    assert [figure.value for figure in ldam.published["few"]] == [21.5]
    assert "all" not in ldam.published
    text = table.markdown()
    assert "| published all | published few | source |" in text
    assert "no part of the comparison" in text
    assert "B (2020), Table 1; 2 reports of all: 38.3 to 39.9" in text
    row = next(csv.DictReader(io.StringIO(table.csv())))
    assert float(row["published_all"]) == pytest.approx(0.399)


def test_published_figures_of_other_settings_are_left_out_with_a_note(tmp_path):
    runs = two_methods(tmp_path / "runs")
    file = tmp_path / "papers.csv"
    file.write_text(COLUMNS + "CE,cross_entropy,other_lt,40,all,top1_acc,38.3,A (2019),Table 2,original\n")
    table = comparison(runs, published=read_published(file))
    assert "No published figure fits the method, data set and imbalance of these runs." in table.notes
    assert read_published(file, dataset="toy_lt") == []
    assert len(read_published(file, imbalance=40)) == 1


def test_a_file_of_published_figures_without_its_columns_is_refused(tmp_path):
    file = tmp_path / "papers.csv"
    file.write_text("method,number\nCE,1\n")
    with pytest.raises(ValueError, match="needs the columns method or key, value"):
        read_published(file)
    with pytest.raises(FileNotFoundError, match="CSV file"):
        read_published(tmp_path / "none.csv")


def test_different_data_sets_come_apart_and_keep_the_notes(tmp_path):
    run_folder(tmp_path / "a", "erm", identity="a" * 16)
    run_folder(tmp_path / "b", "erm", identity="b" * 16, counts=(200, 150, 60, 30, 10, 9))
    run_folder(tmp_path / "c", "erm", identity="c" * 16, config={"data": {"name": "other", "imbalance": 10}})
    run_folder(tmp_path / "d", "focal", done=False)
    parts = by_data(find_runs(tmp_path))
    assert list(parts) == ["toy_lt, imbalance 40", "toy_lt, imbalance 40 #2", "other, imbalance 10"]
    assert [len(part.notes) for part in parts.values()] == [1, 0, 0]


def shown(table, width):
    from rich.console import Console

    console = Console(width=width, file=io.StringIO())
    console.print(table.rich(width))
    return console.file.getvalue()
