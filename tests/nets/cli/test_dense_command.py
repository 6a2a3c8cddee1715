"""python -m nets with targets at every point."""

import json

import numpy as np
import pytest

import nets
from nets.__main__ import main
from nets.runs import directory
from tests.nets.dense_data import NAME, denoising, save, segmentation


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two runs on files, of one epoch each, and inputs in a file."""
    path = tmp_path_factory.mktemp("dense")
    save(path / "waves.npz", denoising(n=8))
    save(path / "signs.npz", segmentation(n=8), class_names=np.array(["-", "+"]))
    np.save(path / "inputs.npy", denoising(n=12).test_inputs.numpy())
    with pytest.MonkeyPatch.context() as patch:
        for picture in ("draw_history", "draw_predictions"):  # they take longer than the runs
            patch.setattr(directory, picture, None)
        for name in ("waves", "signs"):
            arguments = ["--data", f"{path}/{name}.npz", "--model", NAME, "--epochs", "1", "--no-progress"]
            assert main(["train", *arguments, "--output", f"{path}/{name}"]) == 0
    return path


def run(capsys, *arguments):
    code = main(list(map(str, arguments)))
    return code, *capsys.readouterr()


def test_data(folder, capsys):
    code, printed, _ = run(capsys, "data", "waves.npz", "--data-dir", folder)
    assert code == 0
    assert printed.startswith("waves.npz: 45 samples for training, 15 for testing, 1 x 8 x 8\ntargets: 1 x 8 x 8\n")
    assert "2 classes: -, +" in run(capsys, "data", folder / "signs.npz")[1]


def test_evaluate(folder, capsys, monkeypatch):
    monkeypatch.chdir("/")  # the run knows where its data are
    found = nets.evaluate(nets.load(folder / "waves"), denoising(n=8))
    code, printed, _ = run(capsys, "evaluate", folder / "waves", "--json")
    values = json.loads(printed)
    assert (code, values["samples"]) == (0, 15)
    assert {name: values[name] for name in found.figures} == found.figures
    code, printed, _ = run(capsys, "evaluate", folder / "signs", "--output", folder / "pictures")
    assert printed.startswith("held-out pixel accuracy ")
    assert (folder / "pictures" / "predictions.png").is_file()


def test_predict(folder, capsys):
    model = nets.load(folder / "waves")
    assert run(capsys, "predict", folder / "waves", folder / "inputs.npy", "--output", folder / "out")[0] == 0
    found = np.load(folder / "out" / "inputs.predictions.npy")
    assert np.array_equal(found, nets.predict(model, np.load(folder / "inputs.npy")))


def test_export_is_in_the_units_of_the_targets(folder):
    import torch

    model = nets.load(folder / "waves")
    done = nets.export(model, folder / "waves.pt2")
    inputs = denoising(n=8).test_inputs
    found = torch.export.load(done.path).module()(inputs)
    assert (found - nets.predict(model, inputs)).abs().max() <= done.allowed * model.transform.target_std[0]


def test_report(folder, capsys):
    _, printed, _ = run(capsys, "report", folder, "--format", "json")
    rows = {row["data"].rpartition("/")[2]: row for row in json.loads(printed)}
    result = json.loads((folder / "waves" / "record.json").read_text())["result"]
    assert (rows["waves.npz"]["figure"], rows["waves.npz"]["mean"]) == ("relative_l2", result["relative_l2"])
    assert rows["signs.npz"]["figure"] == "pixel_accuracy"
    assert "error " in run(capsys, "report", folder)[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--data", "{}/waves.npz", "--loss", "cross-entropy"], "loss must be 'auto' or 'relative L2'"),
        (["train", "--data", "{}/none.npz"], "there is no file {}/none.npz"),
        (["train", "--data", "{}/waves.npz", "--exclude", "list.txt"], "exclude must be None"),
        (["evaluate", "{}/waves", "--flip"], "flip must be False"),
        (["evaluate", "{}/waves", "--data", "digits"], "data must have a target at every point"),
        (["evaluate", "{}/waves", "--data", "{}/signs.npz"], "must have the targets of"),
        (["predict", "{}/waves", "{}/waves.npz"], "paths must be inputs"),
        (["predict", "{}/waves", "{}/none.npy"], "none.npy cannot be read"),
        (["look", "{}/waves", "--output", "{}/look"], "must be of a network that classifies images"),
    ],
)
def test_what_does_not_fit(folder, capsys, arguments, words):
    code, _, errors = run(capsys, *(argument.format(folder) for argument in arguments))
    assert code == 2
    assert words.format(folder) in errors
