"""The record of a run: whole at every moment, plain JSON, and true."""

import json
import platform

import pytest
import torch

import nets
from nets.runs import environment, records
from nets.runs import record as run_record
from tests.nets.training.test_training import NAME, RECIPE, blobs, train


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run, and its result."""
    folder = tmp_path_factory.mktemp("record") / "run"
    return folder, train(folder, seed=5)


def test_what_it_says(run):
    folder, result = run
    record = json.loads((folder / "record.json").read_text())
    assert record["status"] == "finished"
    assert record["model"] == NAME
    assert record["parameters"] == nets.parameters(result.model)
    assert record["multiply_adds"] == nets.multiply_adds(result.model, (1, 6, 6))
    assert record["data"] == {**record["data"], "name": "blobs", "train": 60, "test": 20, "files": []}
    assert {**record["recipe"], "epochs": 3, "batch": 16, "averaging": 0.9} == record["recipe"]
    assert record["seed"] == 5
    assert record["versions"]["torch"] == torch.__version__
    assert record["versions"]["python"] == platform.python_version()
    assert record["hardware"]["threads"] == 1
    assert record["hardware"]["device"] == "cpu"
    assert record["command"].startswith("python ")
    assert record["commit"] == environment.commit()
    assert record["history"] == result.history
    assert 0 < sum(row["seconds"] for row in result.history) <= record["seconds"]
    assert record["result"] == {
        "which": "averaged weights",
        "epoch": 3,
        "accuracy": result.accuracy,
        "top5": None,
        "auc": None,
        "per_class": result.evaluation.per_class,
        "ece": result.evaluation.ece,
        "nll": result.evaluation.nll,
    }


def test_report_reads_it(run):
    record = records.read(run[0] / "record.json")
    assert record.finished
    assert record.accuracy == 100 * run[1].accuracy
    assert record.epochs == RECIPE.epochs
    assert record.hardware


def test_a_resumed_run_keeps_its_start_and_adds_its_time(tmp_path):
    train(tmp_path / "run")
    before = json.loads((tmp_path / "run" / "record.json").read_text())
    train(tmp_path / "run", resume=True)  # nothing left to do
    after = json.loads((tmp_path / "run" / "record.json").read_text())
    assert after["started"] == before["started"]
    assert after["seconds"] >= sum(row["seconds"] for row in before["history"])
    assert after["result"] == before["result"]
    same = ("command", "commit", "versions", "hardware", "process")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert [(piece["from_step"], piece["command"]) for piece in after["resumed"]] == [(12, environment.command())]


def test_another_number_of_threads_is_said(tmp_path):
    train(tmp_path / "run", epochs=2)
    torch.set_num_threads(2)
    with pytest.warns(UserWarning, match="resume: threads is 1 there, 2 here; the last bits may differ"):
        train(tmp_path / "run", epochs=2, resume=True)


def test_json_has_no_nan(tmp_path):
    path = tmp_path / "record.json"
    run_record.write(path, {"a": float("nan"), "b": [float("inf"), 1.5, None], "c": {"d": (1, "é")}})
    content = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert content == {"a": None, "b": [None, 1.5, None], "c": {"d": [1, "é"]}}


def test_a_diverged_run_says_so(tmp_path):
    model = nets.create_model(NAME, num_classes=3, in_channels=1)
    model.head.bias.data[0] = float("nan")
    with pytest.raises(nets.TrainingError):
        nets.train(model, blobs(), recipe=RECIPE, progress=False, output=tmp_path / "run")
    record = records.read(tmp_path / "run" / "record.json")
    assert record.status == "diverged"
    assert record.message == "the loss is nan at step 1 (epoch 1); there is no checkpoint yet"
