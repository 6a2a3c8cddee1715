"""A folder of the Hugging Face hub is the same network again, and holds no path of this machine."""

import json
import re
import shutil

import pytest
import torch

import nets
from nets import CheckpointError
from nets.__main__ import main
from tests.nets.training.test_training import NAME, blobs

PATH = re.compile(r"(?<![\w.])/\w+/|\\\\")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    settings = {"epochs": 1, "batch": 30, "progress": False}
    first = nets.train(NAME, blobs(), output=folder / "first", **settings)
    return nets.train(NAME, blobs(), output=folder / "second", init_from=first.checkpoint, **settings)


@pytest.mark.parametrize("given", ["folder", "checkpoint", "network"])
def test_there_and_back(run, given, tmp_path):
    source = {"folder": run.checkpoint.parent, "checkpoint": run.checkpoint, "network": nets.load(run.checkpoint)}
    folder = nets.export_hub(source[given], tmp_path / "hub")
    assert sorted(file.name for file in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    model = nets.load(folder)
    assert model.transform == nets.load(run.checkpoint).transform
    x = torch.randn(2, *model.transform.shape)
    with torch.no_grad():
        assert torch.equal(model(x), run.model(x))
    for file in folder.iterdir():
        assert not PATH.search(file.read_text(encoding="latin-1").replace("https://", "")), file
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlibrary_name: mgnet-multigrid\n")
    assert "pipeline_tag: image-classification" in card
    assert ("checkpoint.pt (" in card) == ("Top-1" in card) == (given != "network")  # the weights that it began with
    assert json.loads((folder / "config.json").read_text())["data"]["classes"] == list(model.transform.class_names)


def test_a_run_on_a_folder_of_images(run, tmp_path):
    shutil.copytree(run.checkpoint.parent, tmp_path / "run")
    file = tmp_path / "run" / "record.json"
    record = json.loads(file.read_text())
    record["data"] |= {"name": "folder:/home/me/pets", "folder": "/home/me/pets"}
    record["initial"] |= {"from": "/home/me/first/checkpoint.pt", "data": "/home/me/flow.npz"}
    file.write_text(json.dumps(record))
    card = (nets.export_hub(tmp_path / "run", tmp_path / "hub") / "README.md").read_text()
    assert f"# {NAME} on folder:pets\n" in card
    assert f"checkpoint.pt ({NAME} trained on flow.npz)" in card
    assert not PATH.search(card)


def test_class_names_may_be_written_anew(run, tmp_path):
    file = nets.export_hub(run.checkpoint, tmp_path) / "config.json"
    names = list("xyz")[: run.model.num_classes]
    config = json.loads(file.read_text())
    config["data"]["classes"] = names
    file.write_text(json.dumps(config))
    assert nets.load(tmp_path).transform.class_names == tuple(names)
    config["network"]["settings"]["activation"] = "gelu"
    file.write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=r"does not fit its own model .*a network with activation='relu'"):
        nets.load(tmp_path)


@pytest.mark.parametrize(
    ("entry", "value", "words"),
    [
        ("classes", ["x"], "model.transform must name the 3 outputs of the network; got 1 class names: 'x'"),
        ("classes", "abc", "class_names must be strings, one per class.*; got 'abc'"),
        ("mean", ["a"], r"mean must be numbers, one per channel; got \('a',\)"),
        ("mean", [1, 2], r"mean must have 1 values, one per channel; got \(1, 2\)"),
        ("std", [0.0], r"std must be positive numbers, one per channel; got \(0.0,\)"),
        ("white", "16", "white must be a positive number; got '16'"),
        ("shape", [1, -6, 6], r"shape must be \(channels, n, ...\), positive integers; got \(1, -6, 6\)"),
    ],
)
def test_what_no_data_has_is_refused(run, entry, value, words, tmp_path):
    file = nets.export_hub(run.checkpoint, tmp_path) / "config.json"
    config = json.loads(file.read_text())
    config["data"][entry] = value
    file.write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=f"checkpoint: .*{words}"):
        nets.load(tmp_path)


def test_other_folders(run, tmp_path):
    with pytest.raises(CheckpointError, match=r"holds no network: checkpoint\.pt of a run, or config\.json and model"):
        nets.load(tmp_path)
    folder = nets.export_hub(run.model, tmp_path)
    for text, words in (("{", "cannot be read"), ('{"model_type": "bert"}', "was not written by mgnet-multigrid")):
        (folder / "config.json").write_text(text)
        with pytest.raises(CheckpointError, match=rf"config\.json {words}"):
            nets.load(folder)
    (folder / "config.json").unlink()
    with pytest.raises(CheckpointError, match="holds no network"):
        nets.create_model(NAME, weights=folder)


def test_bad_arguments(run, tmp_path):
    with pytest.raises(TypeError, match=r"model must be a nets\.Network, or the path of a run or its checkpoint; got"):
        nets.export_hub(run, tmp_path)
    nets.export_hub(run.model, tmp_path)
    with pytest.raises(ValueError, match=r"folder: .*config\.json exists already; choose another folder"):
        nets.export_hub(run.model, tmp_path)
    nets.export_hub(run.model, tmp_path, overwrite=True)
    with pytest.raises(ValueError, match=r"folder: .*checkpoint\.pt belongs to a run"):
        nets.export_hub(run.model, run.checkpoint.parent, overwrite=True)
    with pytest.raises(ValueError, match=r"folder must be a folder; .*README\.md is a file"):
        nets.export_hub(run.model, tmp_path / "README.md")


def test_from_the_command_line(run, tmp_path, capsys):
    run_folder, hub, file = run.checkpoint.parent, tmp_path / "hub", tmp_path / "net.safetensors"
    assert main(["export", str(run_folder), "--to", "hub", "--output", str(hub)]) == 0
    assert main(["export", str(hub), "--to", "safetensors", "--output", str(file)]) == 0
    assert capsys.readouterr().out == f"written: {hub}\nwritten: {file}\n"
    assert torch.equal(nets.load(file).head.weight, run.model.head.weight)
    assert main(["evaluate", str(hub)]) == 2
    assert "holds a network without the record of its data; name the data to evaluate on" in capsys.readouterr().err
