"""A run says from which weights it started and what it left alone; its average forgets its start."""

import hashlib
import json
import shutil
from math import comb, prod

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nets
from nets.models.checkpoint import read
from nets.runs import records
from nets.runs.model_card import model_card
from nets.runs.report import table
from nets.runs.start import check_start
from nets.training.average import decay
from nets.training.checks import network_for
from tests.nets.training.test_training import NAME, RECIPE, blobs, stop_after, train

SETTINGS = {"recipe": RECIPE, "epochs": 1, "progress": False}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """The folder of a run from fresh weights."""
    folder = tmp_path_factory.mktemp("first") / "run"
    train(folder, epochs=1)
    return folder


def told(folder):
    """Record, checkpoint and card tell of the start; the first two the same."""
    record = json.loads((folder / "record.json").read_text())
    assert record["initial"] == read(folder)["initial"]
    assert (folder / "model_card.md").read_text() == model_card(record)
    return record["initial"], (folder / "model_card.md").read_text()


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_fresh_weights_have_no_origin(first, tmp_path):
    initial, card = told(first)
    assert initial.keys() == {"sha256"}
    assert "initial weights" not in card
    train(tmp_path / "same", epochs=1)
    train(tmp_path / "other", epochs=1, seed=1)
    assert told(tmp_path / "same")[0] == initial  # the seed decides
    assert told(tmp_path / "other")[0] != initial


def by_init_from(path, output):
    return nets.train(NAME, blobs(), init_from=path, output=output, **SETTINGS)


def by_weights(path, output):
    model = nets.create_model(NAME, num_classes=3, in_channels=1, weights=path)
    return nets.train(model, blobs(), output=output, **SETTINGS)


def by_load(path, output):
    return nets.train(nets.load(path), blobs(), output=output, **SETTINGS)


@pytest.mark.parametrize("start", [by_init_from, by_weights, by_load])
@pytest.mark.parametrize("file", ["", "checkpoint.pt"])
def test_weights_of_a_run(start, file, first, tmp_path, monkeypatch):
    monkeypatch.chdir(first.parent)
    start(f"run/{file}", tmp_path / "second")
    initial, card = told(tmp_path / "second")
    path, digest = first / "checkpoint.pt", sha256(first / "checkpoint.pt")
    found = {"from": str(path), "file_sha256": digest, "model": NAME, "data": "blobs"}
    assert {name: initial[name] for name in found} == found
    assert "trained from weights that were trained before" in card
    assert f"| initial weights | {path} ({NAME} trained on blobs), SHA-256 {digest} |" in card
    record = records.read(tmp_path / "second" / "record.json")
    assert record.recipe.endswith(", fine-tuned from blobs")
    assert len(records.groups([record, records.read(first / "record.json")])) == 2


def test_a_state_dict_and_a_run_before(first, tmp_path):
    torch.save(nets.load(first).state_dict(), tmp_path / "weights.pt")
    result = by_init_from(tmp_path / "weights.pt", tmp_path / "a")
    initial, card = told(tmp_path / "a")
    assert initial["from"] == str(tmp_path / "weights.pt")
    assert sha256(tmp_path / "weights.pt") in card
    model = nets.create_model(NAME, num_classes=3, in_channels=1)
    model.load_state_dict(torch.load(tmp_path / "weights.pt"))
    part = nets.create_model(NAME, num_classes=3, in_channels=1)
    torch.nn.Sequential(part).load_state_dict(torch.nn.Sequential(model).state_dict())
    for network, words in ((model, "a state_dict"), (result.model, "a training run"), (part, "a state_dict")):
        shutil.rmtree(tmp_path / words, ignore_errors=True)
        nets.train(network, blobs(), output=tmp_path / words, **SETTINGS)
        initial, card = told(tmp_path / words)
        assert initial["from"] == words
        assert f"| initial weights | {words}" in card
        assert f"SHA-256 {initial['sha256']} |" in card


@pytest.mark.parametrize("kind", ["hub", "net.safetensors", "wrapped.pt"])
def test_weights_in_files_of_other_programs(kind, first, tmp_path, capsys):
    path, model = tmp_path / kind, nets.load(first)
    if kind == "hub":
        path = nets.export_hub(first, path) / "model.safetensors"
    elif kind == "wrapped.pt":  # as timm and others write them
        torch.save({"state_dict": {f"module.{name}": w for name, w in model.state_dict().items()}, "epoch": 3}, path)
    else:
        nets.save(model, path)
    settings = {**SETTINGS, "progress": True}
    nets.train(NAME, blobs(), init_from=tmp_path / kind, output=tmp_path / "run", **settings)
    initial, card = told(tmp_path / "run")
    trained = "" if kind == "wrapped.pt" else f" ({NAME} trained on blobs)"
    words = f"{path}{trained}, SHA-256 {sha256(path)}"
    assert (initial["from"], initial["file_sha256"]) == (str(path), sha256(path))
    assert f"| initial weights | {words} |" in card
    assert f"\nstarts from {words}\n" in capsys.readouterr().err
    found = records.groups([records.read(tmp_path / "run" / "record.json")])
    assert f"Weights to start from: {words}." in table(found)
    assert json.loads(table(found, "json"))[0]["initial_weights"] == words


def test_a_whole_module_in_a_file_is_told_what_to_save(tmp_path):
    torch.save(nets.create_model(NAME, num_classes=3, in_channels=1), tmp_path / "module.pt")
    with pytest.raises(nets.CheckpointError, match=r"holds Python objects, such as a whole module, .*state_dict"):
        by_init_from(tmp_path / "module.pt", None)


def test_messages_name_init_from(first):
    with pytest.raises(TypeError, match=r"^init_from must be the path of a file; got int"):
        by_init_from(3, None)
    with pytest.raises(nets.CheckpointError, match=r"^init_from: .* holds .*, the model is MgNet\[1\]-\[5\]-B\^l"):
        nets.train("MgNet[1]-[5]-B^l", blobs(), init_from=first, **SETTINGS)
    with pytest.raises(nets.CheckpointError, match=r"^init_from: there is no file nowhere"):
        by_init_from("nowhere", None)
    with pytest.raises(ValueError, match=r"^init_from must be the path of a file; got ''"):
        by_init_from("", None)


def test_a_resumed_run_keeps_its_start(first, tmp_path, monkeypatch):
    settings = {"init_from": first, "epochs": 2}
    stop_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run", **settings)
    monkeypatch.undo()
    before = read(tmp_path / "run")["initial"]
    nets.save(nets.create_model(NAME, num_classes=3, in_channels=1), tmp_path / "other.safetensors")
    with pytest.warns(
        UserWarning, match=r"^init_from: .*other\.safetensors holds other weights than those that the run"
    ):
        train(tmp_path / "run", resume=True, **{**settings, "init_from": tmp_path / "other.safetensors"})
    train(tmp_path / "run", resume=True, **settings)
    check_start(read(tmp_path / "run"), tmp_path / "gone")  # no longer needed
    assert told(tmp_path / "run")[0] == before
    assert before["from"] == str(first / "checkpoint.pt")


def test_frozen_names_are_kept(tmp_path):
    model = nets.create_model(NAME, num_classes=3, in_channels=1)
    model.stem.requires_grad_(False)
    names = ["stem.conv.weight", "stem.norm.weight", "stem.norm.bias"]
    nets.train(model, blobs(), output=tmp_path, **SETTINGS)
    assert read(tmp_path)["frozen"] == json.loads((tmp_path / "record.json").read_text())["frozen"] == names
    assert f"| frozen parameters | {', '.join(names)} |" in told(tmp_path)[1]
    assert records.read(tmp_path / "record.json").recipe.endswith("3 parameters frozen")


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_the_card_names_the_dimensions(dims):
    settings = nets.create_model(NAME, dims=dims).config.settings()
    assert f"dims = {dims}, " in model_card({"model": NAME, "settings": settings, "data": {"name": "x"}})


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 10_000))
def test_an_average_forgets_its_start(averaging, steps):
    """The first step's weights count for 10 / C(n + 9, 9) after n steps, or less: 0.05 after 3, 4e-5 after 12."""
    start = prod(decay(averaging, t) for t in range(1, steps))
    assert start <= 10 / comb(steps + 9, 9) * (1 + 4 * steps * torch.finfo(torch.float64).eps)
    assert decay(averaging, steps) <= averaging


def test_a_short_run_is_not_ruined_by_its_average():
    """After 12 steps it is nearer to the last weights than to the first ones, where a constant decay leaves it."""
    settings = {"recipe": RECIPE, "progress": False, "epochs": 3}
    plain, averaged = (nets.train(NAME, blobs(), averaging=a, **settings).model for a in (0.0, 0.9999))
    start = network_for(NAME, blobs(), 0)
    names = [name for name, weight in plain.named_parameters() if weight.ndim > 1]
    far, near = (
        sum(float((averaged.get_parameter(n) - model.get_parameter(n)).detach().norm() ** 2) for n in names)
        for model in (start, plain)
    )
    assert near < far


def test_whitening_replaces_a_stem_that_was_given(first):
    with pytest.warns(UserWarning, match="^whitening: it replaces the weights that init_from gives to the stem"):
        result = nets.train(NAME, blobs(), init_from=first, whitening=True, **SETTINGS)
    assert not torch.equal(result.model.stem.conv.weight, nets.load(first).stem.conv.weight)
