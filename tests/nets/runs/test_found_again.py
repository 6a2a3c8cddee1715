"""A run on a folder of images is evaluated and resumed from any folder; messages name what works."""

import json
import os
import shutil

import pytest
import torch

import nets
from nets.__main__ import main
from nets.models import checkpoint
from nets.models.checkpoint import read
from nets.runs import provenance
from tests.nets.data.test_image_folder import make
from tests.nets.training.test_training import train

SETTINGS = {"epochs": 1, "batch": 4, "progress": False}


def run_in(folder, name, output, monkeypatch, resume=False):
    monkeypatch.chdir(folder)
    return nets.train("MgNet[1,1]-[4]-B^l", name, output=output, resume=resume, **SETTINGS)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run that was started beside its images, by a relative path; and a folder with other images of that name."""
    make(tmp_path / "a" / "birds")
    make(tmp_path / "b" / "birds", classes=("x", "y"))
    run_in(tmp_path / "a", "folder:birds", tmp_path / "run", monkeypatch)
    return tmp_path / "run"


def test_its_images_are_found_from_anywhere(run, tmp_path, monkeypatch):
    assert read(run)["data"]["name"] == "folder:birds"
    assert read(run)["folder"] == str(tmp_path / "a" / "birds")
    for place in ("a", "b", "."):
        monkeypatch.chdir(tmp_path / place)
        data = provenance.held_out(run)
        assert data.name == "folder:birds"
        assert data.class_names == ("cat", "dog", "eel")
    shutil.copytree(tmp_path / "a", tmp_path / "c")
    assert provenance.held_out(run, tmp_path / "c").class_names == ("cat", "dog", "eel")  # data_dir says it


def test_it_is_resumed_from_anywhere(run, tmp_path, monkeypatch):
    absolute = tmp_path / "a" / "birds"
    for place, name in (("b", "../a/birds"), (".", absolute)):
        run_in(tmp_path / place, f"folder:{name}", run, monkeypatch, resume=True)
    with pytest.raises(nets.CheckpointError, match="another data"):
        run_in(tmp_path / "b", "folder:birds", run, monkeypatch, resume=True)


def test_images_that_are_gone_are_named(run, tmp_path, monkeypatch, capsys):
    (tmp_path / "a" / "birds").rename(tmp_path / "a" / "moved")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=rf"no folder {tmp_path / 'a' / 'birds'} any more.*--data folder:PATH"):
        provenance.held_out(run)
    assert main(["evaluate", str(run), "--data", f"folder:{tmp_path / 'a' / 'moved'}"]) == 0
    monkeypatch.chdir(tmp_path / "a")
    (tmp_path / "a" / "moved").rename(tmp_path / "a" / "elsewhere")
    os.symlink(tmp_path / "a" / "elsewhere", tmp_path / "a" / "birds")
    assert provenance.held_out(run).class_names == ("cat", "dog", "eel")


def test_a_folder_whose_name_is_not_utf8(tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system has no such names")
    train(folder / "run", epochs=1)
    train(folder / "further", epochs=1, init_from=folder / "run")
    initial = json.loads((folder / "further" / "record.json").read_text(encoding="utf-8"))["initial"]
    assert initial["from"] == str(folder / "run" / "checkpoint.pt")
    assert r"caf\udce9" in (folder / "further" / "model_card.md").read_text(encoding="utf-8")


def test_a_run_from_before_a_setting_is_resumed(tmp_path, monkeypatch):
    """Its checkpoint does not name `padding`, and it padded by zeros."""
    model, settings = "MgNet[1,1]-[4]-B^l", {"epochs": 1, "limit_batches": 1, "progress": False}
    settings["output"] = tmp_path / "run"
    first = nets.train(model, "digits", **settings)
    content = read(tmp_path / "run")
    del content["model"]["settings"]["padding"]
    monkeypatch.setattr(checkpoint, "read", lambda *rest, **more: content)
    assert nets.train(model, "digits", resume=True, **settings).accuracy == first.accuracy
    with pytest.raises(nets.CheckpointError, match="another model: padding is 'zeros' there, 'reflect' here"):
        nets.train(f"{model}, padding=reflect", "digits", resume=True, **settings)


@pytest.mark.parametrize("option", ["--output", "--init-from", "--data-dir", "--exclude", "--config"])
def test_an_empty_path_is_not_the_current_folder(option, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(["train", option, ""])
    assert caught.value.code == 2
    assert f"argument {option}: must be a path; got ''" in capsys.readouterr().err
    if option != "--config":
        (tmp_path / "run.toml").write_text(f'{option[2:]} = ""')
        assert main(["train", "--config", "run.toml"]) == 2
        assert f"{option[2:].replace('-', '_')} must be a path; got ''" in capsys.readouterr().err
    with pytest.raises(ValueError, match="output must be the path of a folder; got ''"):
        train("")
    assert sorted(path.name for path in tmp_path.iterdir()) in ([], ["run.toml"])


def test_more_threads_than_a_system_has_are_refused(capsys, monkeypatch):
    words = f"threads must be an integer from 1 to {max(64, 4 * (os.cpu_count() or 1))}; got"
    monkeypatch.setattr(torch, "set_num_threads", pytest.fail)  # so many would end the process
    for threads in (-1, 0, 100_000):
        assert main(["train", "--threads", str(threads)]) == 2
        assert f"{words} {threads}" in capsys.readouterr().err
