"""Records of runs become tables and pictures; published accuracies stand beside them."""

import csv
import io
import json
from math import isnan
from statistics import stdev

import pytest

from nets import plot
from nets.__main__ import main
from nets.naming.grammar import SCHEMES, parse
from nets.papers.accuracies import all_published, published
from nets.papers.published import ROWS
from nets.plot import runs as runs_plot
from nets.plot.style import figure, percent_wrong
from nets.runs import records, report

MGNET, RESNET = "MgNet[2,2,2,2]-[256]-B^l", "ResNet18-A^l-B^{l,i}"


def write(folder, seed=0, accuracy=0.96, status="finished", model=MGNET, data="cifar10", epochs=3, **other):
    """A record as training writes it."""
    history = [
        {"epoch": e + 1, "loss": 1 / (e + 1), "accuracy": 0.5, "test_accuracy": 0.5 + 0.1 * e} for e in range(epochs)
    ]
    result = {"which": "last epoch", "accuracy": accuracy, "top5": 0.99} if status == "finished" else None
    record = {
        "format": records.FORMAT,
        "status": status,
        "message": "" if status == "finished" else "the loss is nan at step 7",
        "model": model,
        "settings": {"activation": "relu"},
        "parameters": 8_278_794,
        "data": {"name": data, "split": seed, "train": 50000, "test": 10000} if isinstance(data, str) else data,
        "recipe": {"name": "fast", "epochs": epochs},
        "overrides": {},
        "seed": seed,
        "hardware": {"cpu": "a processor", "threads": 2, "gpu": None},
        "seconds": 100.0 + seed,
        "result": result,
        "history": history,
        **other,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / records.FILE).write_text(json.dumps(record))
    return folder / records.FILE


@pytest.fixture
def runs(tmp_path):
    for seed, accuracy in enumerate((0.958, 0.960, 0.963)):
        write(tmp_path / "runs" / f"a{seed}", seed, accuracy)
    write(tmp_path / "runs" / "a3", 3, status="diverged")
    write(tmp_path / "runs" / "b", 0, 0.99, model="MgNet[2,2]-[32]-B^{l,i}", data="digits")
    write(tmp_path / "runs" / "deep" / "c", 1, status="interrupted", model=RESNET)
    return tmp_path / "runs"


def table(paths, *settings, **named):
    return report.table(records.runs(paths), *settings, **named)


def test_mean_deviation_and_n(runs):
    found = records.runs([runs])
    assert [(g.first.data, g.n, len(g.others)) for g in found] == [
        ("cifar10", 3, 1),
        ("cifar10", 0, 1),
        ("digits", 1, 0),
    ]
    first = found[0]
    assert first.mean == pytest.approx((95.8 + 96.0 + 96.3) / 3)
    assert first.deviation == pytest.approx(stdev([95.8, 96.0, 96.3]))
    assert first.seconds == pytest.approx(101)
    assert isnan(found[1].mean)
    assert isnan(found[2].deviation)


def test_text_has_every_run_and_what_was_published(runs):
    lines = table([runs]).splitlines()
    assert "96.03 ± 0.25 (n = 3)" in lines[1]
    assert "3 finished, 1 diverged" in lines[1]
    assert "96.00 (N23, L23), 93.04 (S19)" in lines[1]
    assert "99.00 (n = 1)" in lines[3]
    assert sum("the loss is nan at step 7" in line for line in lines) == 2
    assert any(line.startswith("diverged: ") and "seed 3" in line and "a3" in line for line in lines)


def test_markdown_is_one_table(runs):
    lines = [line for line in table([runs], "markdown").splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {len(report.HEADINGS) + 1}
    assert len(lines) == 5


def test_csv_and_json_hold_the_same_numbers(runs):
    rows = list(csv.DictReader(io.StringIO(table([runs], "csv"))))
    values = json.loads(table([runs], "json"))
    assert len(rows) == len(values) == 3
    for row, value in zip(rows, values, strict=True):
        assert row["model"] == value["model"]
        assert (float(row["mean"]) if row["mean"] else None) == value["mean"]
    assert rows[0]["seeds"] == "0 1 2"
    assert rows[0]["not_finished"] == "diverged:3"
    assert [row["published"] for row in rows] == ["96.00 (N23, L23), 93.04 (S19)", "94.34 (N23, L23), 93.54 (A19)", ""]


def test_other_settings_are_another_row(tmp_path):
    write(tmp_path / "a", 0)
    write(tmp_path / "b", 1, overrides={"epochs": 3})
    write(tmp_path / "c", 2, settings={"activation": "hat:5"})
    write(tmp_path / "d", 3, result={"which": "averaged weights", "accuracy": 0.9})
    assert len(table([tmp_path], "csv").splitlines()) == 5


def test_a_record_of_an_earlier_version_is_a_repetition(tmp_path):
    write(tmp_path / "a", 0)
    write(tmp_path / "b", 1, settings={"activation": "relu", "norm_layer": "batch", "bias": False})
    write(tmp_path / "c", 2, settings={"activation": "relu", "norm_layer": "group:2"})
    assert [group.n for group in records.runs([tmp_path])] == [2, 1]


def test_published_networks_that_nobody_ran(runs):
    text = table([runs], not_run=True)
    absent = [line for line in text.splitlines() if "not run" in line]
    assert any("pre-act ResNet18-A^l-B^{l,i}" in line and "94.54 (N23, L23), 93.83 (A19)" in line for line in absent)
    assert not any(MGNET in line.replace("{l}", "l") and "96.00" in line for line in absent)


def test_a_seed_that_counts_twice_is_named(tmp_path):
    write(tmp_path / "a", 4)
    write(tmp_path / "b", 4)
    assert "seed 4 counts more than once" in table([tmp_path])


def test_a_file_and_its_folder_are_one_run(runs):
    found = records.runs([runs, runs / "b", runs / "b" / records.FILE])
    assert sum(len(group.records) for group in found) == 6


@pytest.mark.filterwarnings("default")
def test_what_is_no_run_is_passed_over(runs, capsys):
    """As the shell gives it for runs/*."""
    (runs / "notes.md").write_text("seed 3 diverged")
    (runs / "settings.json").write_text("{}")
    (runs / "pictures").mkdir()
    assert main(["report", *map(str, sorted(runs.iterdir()))]) == 0
    printed = capsys.readouterr()
    assert printed.out == table([runs]) + "\n"
    warned = printed.err.splitlines()
    assert all(line.endswith("(left out)") for line in warned)
    for line, words in zip(warned, ("notes.md cannot", "pictures holds no", "settings.json is no record"), strict=True):
        assert words in line
    (runs / "a0" / records.FILE).write_text("{")
    assert main(["report", *map(str, sorted(runs.iterdir()))]) == 2  # a run whose record is damaged is not
    assert "a0/record.json cannot be read as JSON" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "another"}, "is no record"),
        ({"status": "happy"}, "has the status 'happy'"),
        ({"model": ""}, "has no 'model'"),
        ({"data": {"train": 3}}, "has no name of its data"),
        ({"result": {"accuracy": 96.0}}, "its accuracy is 96.0"),
        ({"result": None}, "its accuracy is None"),
    ],
)
def test_what_is_no_record_is_named(tmp_path, change, words):
    path = write(tmp_path, **change)
    with pytest.raises(ValueError, match=words) as caught:
        table([path])
    assert str(path) in str(caught.value)


def test_bad_arguments(tmp_path, runs):
    with pytest.raises(ValueError, match="there is no file or folder"):
        table([tmp_path / "nowhere"])
    with pytest.raises(ValueError, match="form must be one of 'text'"):
        table([runs], "latex")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"holds no record\.json"):
        table([tmp_path / "empty"])
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(ValueError, match=r"broken\.json cannot be read as JSON"):
        table([tmp_path / "broken.json"])


def test_command(runs, tmp_path, capsys):
    output, plots = tmp_path / "out" / "table.md", tmp_path / "plots"
    arguments = ["report", str(runs), "--format", "markdown", "--output", str(output), "--plots", str(plots)]
    assert main(arguments) == 0
    assert output.read_text().startswith("| data |")
    assert {path.name for path in plots.iterdir()} == {
        "learning_curves.png",
        "accuracy_parameters.png",
        "accuracy_time.png",
    }
    capsys.readouterr()
    assert main(["report", str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["report", str(runs), "--format", "latex"]) == 2
    assert "error: format must be one of 'text'" in capsys.readouterr().err


def test_regressions_are_drawn_beside_classifications(runs, tmp_path, capsys, monkeypatch):
    """Their errors as they are, not in percent, in axes of their own."""
    drawn = []
    save = runs_plot.save
    monkeypatch.setattr(runs_plot, "save", lambda picture, path: drawn.append(picture) or save(picture, path))
    for seed, error in enumerate((0.02, 0.04)):
        write(
            runs / f"waves{seed}",
            seed,
            model="V-MgNet[1]-[2]-B^l",
            data={"name": "waves", "train": 8, "test": 4, "targets": "regression"},
            history=[{"epoch": e, "relative_l2": 1 / e, "test_relative_l2": [0.5, error][e - 1]} for e in (1, 2)],
            result={"which": "last epoch", "relative_l2": error, "relative_h1": 0.1},
        )
    assert main(["report", str(runs), "--plots", str(tmp_path / "plots")]) == 0
    assert "not drawn" not in capsys.readouterr().out
    titles = [[axes.get_title() for axes in picture.axes] for picture in drawn]
    assert titles[0][2] == "waves: held-out error, relative to the targets"
    assert [names[2] for names in titles[1:]] == ["waves: error", "waves: error"]
    curve, *_ = drawn[0].axes[2].lines
    assert list(curve.get_xdata()) == [1, 2]
    assert list(curve.get_ydata()) == pytest.approx([0.5, 0.03])
    assert drawn[1].axes[2].containers[0].lines[0].get_ydata() == pytest.approx([0.03])


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"test_accuracy": [0.5, 0.6, 0.7]}, {1: 50, 2: 40, 3: 30}),  # of earlier versions
        ({"validation_accuracy": [0.5, 0.6, 0.7]}, {1: 50, 2: 40, 3: 30}),
        ({"test_accuracy": [None, None, 0.7]}, {3: 30}),
        ({"validation_accuracy": [0.5, None, 0.7], "test_accuracy": [None, None, 0.1]}, {1: 50, 3: 30}),
        ({"loss": [1, 2, 3]}, {}),
    ],
)
def test_curves_are_of_the_validation_part_where_there_is_one(columns, expected, tmp_path):
    rows = [{"epoch": e, "loss": 1.0, "accuracy": 0.5, **{k: v[e - 1] for k, v in columns.items()}} for e in (1, 2, 3)]
    record = records.read(write(tmp_path, history=rows))
    assert runs_plot._errors(record) == pytest.approx(expected)
    if expected:
        plot.learning_curves(records.groups([record]), tmp_path / "many.png")
        plot.learning_curve(rows, tmp_path / "one.png")


def test_runs_without_results_are_not_drawn(tmp_path, capsys):
    write(tmp_path / "a", status="failed", epochs=0)
    assert main(["report", str(tmp_path), "--plots", str(tmp_path / "plots")]) == 0
    assert capsys.readouterr().out.count("not drawn") == 3
    with pytest.raises(ValueError, match="none has a history"):
        plot.learning_curves(records.groups([records.read(tmp_path / "a" / records.FILE)]), tmp_path / "a.png")


@pytest.mark.parametrize(
    ("errors", "limits"),
    [((55, 80), (50, 100)), ((0.3, 12), (0.2, 20)), ((0, 0), (0, 0.2)), ((50, 50), (50, 100)), ((100, 100), (50, 100))],
)
def test_the_axis_of_errors_has_a_tick_at_both_ends(errors, limits):
    axes = figure(4, 3).subplots()
    axes.plot([1, 2], errors)
    percent_wrong(axes)
    assert axes.get_ylim() == limits
    assert set(limits) <= set(axes.get_yticks())


def test_every_row_with_parameters_has_its_accuracies():
    for row in ROWS:
        assert len(row.accuracies) == row.dataset.count("/") + 1, row
        assert all(40 < accuracy < 100 for accuracy in row.accuracies), row


@pytest.mark.parametrize(
    ("data", "model", "activation", "expected"),
    [
        ("CIFAR-10", "MgNet[2,2,2,2]-[256]-B^{l}", "relu", {("N23", 96.0), ("L23", 96.0), ("S19", 93.04)}),
        ("cifar100", "MgNet[8,2,2,2]-[1024]-B^l", "relu", {("N23", 82.46)}),
        ("mnist", RESNET, "relu", {("N23", 99.61), ("A19", 99.58)}),
        ("cifar10", "GDFI[1,1]-[8]-A:K-B:K", "relu", {("N23", 71.36), ("A19", 70.96)}),
        ("cifar10", "GDFI[2,2]-[4]-A:K-B:sigma.K", "relu", {("N23", 93.04), ("A19", 92.82)}),
        ("cifar10", "GDFI[2,2]-[4]-A:sigma.K-B:K.sigma", "relu", {("N23", 93.79), ("A19", 93.37)}),
        ("cifar10", "ResNet18", "hat:5", {("L23", 94.79)}),
        ("digits", MGNET, "relu", set()),
        ("cifar10", "MgNet[2,2,2,2]-[8]-B^l", "relu", set()),
    ],
)
def test_published_values_of_a_network(data, model, activation, expected):
    assert {(entry.source, entry.accuracy) for entry in published(data, model, activation)} == expected


def test_slides_repeat_the_paper():
    """The slides' table of modified ResNets is Table 3 of N23: two readings of the same numbers agree."""
    tables = [
        {row.model: row.accuracies for row in ROWS if (row.source, row.table) == place}
        for place in (("N23", "Table 3"), ("L23", "modified (pre-act) ResNet"))
    ]
    assert tables[0] == tables[1]


def test_schemes_are_all_there():
    schemes = [entry for entry in all_published() if entry.model.startswith("GDFI")]
    names = {f"GDFI-A:{A}-B:{B}" for A in SCHEMES for B in SCHEMES}
    assert {(entry.source, entry.model) for entry in schemes} == {(s, name) for s in ("N23", "A19") for name in names}
    for entry in schemes:
        parse(entry.model.replace("GDFI-", "GDFI[2]-[8]-"))
