import xml.etree.ElementTree as ET

import numpy as np
import pytest

from ltjax.analysis import comparison, find_runs, group_runs, plots
from tests.analysis.factory import CORRECT, run_folder, write


@pytest.fixture
def runs(tmp_path):
    for seed in (0, 1):
        run_folder(tmp_path, "erm", seed, correct=(10, 9, 8, 6, 3, 2 + 2 * seed))
        run_folder(tmp_path, "ldam", seed)
    return find_runs(tmp_path)


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")}


def test_class_counts_show_every_class_from_frequent_to_rare(tmp_path):
    run, = find_runs(run_folder(tmp_path, counts=(5, 150, 60, 200, 10, 30)))
    axes, = plots.class_counts(run).axes
    assert [bar.get_height() for bar in axes.containers[0]] == [200, 150, 60, 30, 10, 5]
    assert axes.get_yscale() == "log"
    assert axes.get_xticklabels()[0].get_text() == "class 3"
    assert [text.get_text() for text in axes.texts] == ["many\n2", "medium\n2", "few\n2"]


def test_class_accuracy_has_one_line_per_method_with_the_spread_over_seeds(runs):
    axes, = plots.class_accuracy(group_runs(runs)).axes
    by_label = {container.get_label(): container for container in axes.containers}
    assert set(by_label) == {"erm", "ldam"}
    line, _, (bars,) = by_label["erm"].lines
    assert line.get_ydata() == pytest.approx([100, 90, 80, 60, 30, 30])
    assert line.get_xdata()[0] == pytest.approx(200, rel=0.02)
    low, high = bars.get_segments()[-1][:, 1]
    assert (low, high) == pytest.approx((30 - 10 * np.sqrt(2), 30 + 10 * np.sqrt(2)))


def test_classes_of_equal_frequency_are_averaged(tmp_path):
    run_folder(tmp_path, counts=(100, 100, 100, 5, 5, 5))
    axes, = plots.class_accuracy(group_runs(find_runs(tmp_path))).axes
    assert axes.containers[0].lines[0].get_ydata() == pytest.approx([90, 100 * 11 / 30])


def test_many_classes_are_joined_into_few_points(tmp_path):
    counts = tuple(range(300, 200, -1))
    run_folder(tmp_path, counts=counts, correct=(5,) * 100, test_counts=(10,) * 100)
    groups = group_runs(find_runs(tmp_path))
    line = plots.class_accuracy(groups).axes[0].containers[0].lines[0]
    assert len(line.get_ydata()) == plots.MOST_POINTS
    assert line.get_ydata() == pytest.approx(50.0)
    assert plots.class_counts(groups[0].first).axes[0].collections


def test_learning_curves_show_training_and_validation_with_a_band(runs):
    figure = plots.learning_curves(group_runs(runs))
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == list(plots.CURVES)
    loss = lines(figure.axes[0])
    assert set(loss) == {"erm", "ldam"}
    assert loss["erm"].get_xdata() == pytest.approx(np.arange(1, 21))
    assert loss["erm"].get_ydata()[0] == pytest.approx(1.8 + 0.005)  # the seeds differ by 0.01
    assert len(figure.axes[0].collections) == 2


def test_learning_curves_without_validation_show_training_only(tmp_path):
    run_folder(tmp_path, val=False)
    figure = plots.learning_curves(group_runs(find_runs(tmp_path)))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["training loss", "training accuracy (%)"]


def test_dots_show_means_intervals_and_single_seeds_of_every_group(runs):
    table = comparison(runs)
    figure = plots.dots(table)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "all", "many\n(2 classes)", "medium\n(2 classes)", "few\n(2 classes)"]
    means = {name: line.get_xdata()[0] for name, line in lines(figure.axes[0]).items()}
    assert means == pytest.approx({"erm": 100 * 39 / 60, "ldam": 100 * 38 / 60})
    bar = figure.axes[0].get_lines()[0].get_xdata()
    score = table.rows[0].scores["all"]
    assert list(bar) == pytest.approx([100 * max(score.low, 0), 100 * min(score.high, 1)])


def test_reliability_pools_the_seeds_and_leaves_out_empty_bins(runs):
    groups = group_runs(runs)
    bins = plots.pooled_bins(groups[0])
    assert bins.count.tolist() == [0, 40, 40, 40]
    assert bins.accuracy[1:] == pytest.approx([0.3, 0.5, 0.7])
    assert np.isnan(bins.accuracy[0])
    figure = plots.reliability(groups)
    upper, lower = figure.axes[:2]
    assert [bar.get_height() for bar in upper.containers[0]] == pytest.approx([0.3, 0.5, 0.7])
    assert [bar.get_height() for bar in lower.containers[0]] == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3])
    assert upper.get_title(loc="left") == "erm\nECE 12.5 ± 0.0"


def test_confusion_is_normalised_by_row_and_sorted_by_frequency(tmp_path):
    run_folder(tmp_path, counts=tuple(reversed((200, 150, 60, 30, 10, 5))), correct=tuple(reversed(CORRECT)))
    group, = group_runs(find_runs(tmp_path))
    axes = plots.confusion(group).axes[0]
    shares = np.asarray(axes.collections[0].get_array()).reshape(6, 6)
    assert shares.sum(axis=1) == pytest.approx(100)
    assert np.diag(shares) == pytest.approx([100, 90, 80, 60, 30, 20])
    assert axes.get_xticklabels()[0].get_text() == "class 5"


def test_a_run_without_confusion_or_bins_is_told_from_one_with(tmp_path):
    folder = run_folder(tmp_path)
    write(folder / "test.json", {"metrics": {"accuracy": 0.5, "confusion": None, "ece": {"count": [0, 0]}}})
    group, = group_runs(find_runs(tmp_path))
    assert plots.pooled_confusion(group) is None
    assert plots.pooled_bins(group) is None


def test_svg_is_the_same_every_time_well_formed_and_without_addresses(runs):
    groups = group_runs(runs)
    first, second = (plots.to_svg(plots.class_accuracy(groups), "a") for _ in range(2))
    assert first == second
    root = ET.fromstring(first)
    ids = {element.get("id") for element in root.iter() if element.get("id")}
    assert ids
    assert all(name.startswith("a-") for name in ids)
    assert "Date" not in first
    assert "creativecommons" not in first
    used = {href[1:] for e in root.iter() if (href := e.get("{http://www.w3.org/1999/xlink}href"))}
    assert used <= ids


def test_png_has_its_signature_and_the_same_bytes_every_time(runs):
    first, second = (plots.to_png(plots.class_counts(runs[0])) for _ in range(2))
    assert first[:8] == b"\x89PNG\r\n\x1a\n"
    assert first == second


def test_labels_are_text_and_never_formulas(tmp_path):
    run_folder(tmp_path, r"$\frac{1$ </text><script>", class_names=[r"$\alpha_", "<b>", "$$", "&", "'", '"'])
    group, = group_runs(find_runs(tmp_path))
    for figure in (plots.class_accuracy([group]), plots.confusion(group), plots.class_counts(group.first),
                   plots.dots(comparison(group.runs)), plots.reliability([group])):
        text = plots.to_svg(figure)
        ET.fromstring(text)
        assert "<script" not in text
        assert "<b>" not in text


def test_pictures_leave_the_settings_of_the_user_alone(runs):
    import matplotlib

    with matplotlib.rc_context({"lines.linewidth": 7.5}):
        figure = plots.learning_curves(group_runs(runs))
        assert matplotlib.rcParams["lines.linewidth"] == 7.5
    assert lines(figure.axes[0])["erm"].get_linewidth() == 1.8
