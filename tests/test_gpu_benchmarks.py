"""benchmarks/gpu reads some of CIFAR-10's files, plans a run, and goes on with one whose time was over."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.gpu import batch_files
from tests.nets.data_files import cifar_files, write

RECORDS = 60
FOLDER = Path(batch_files.__file__).parent


@pytest.fixture(scope="module")
def files():
    """Names, contents, images and labels of three files."""
    random, made = np.random.default_rng(1), {}
    for name in ("data_batch_2.bin", "data_batch_5.bin", "test_batch.bin"):
        images = random.integers(0, 256, (RECORDS, 3, 32, 32), np.uint8)
        labels = (np.arange(RECORDS) * 7 % 10).astype(np.uint8)
        made[name] = np.column_stack([labels, images.reshape(RECORDS, -1)]).tobytes(), images, labels
    return made


def folder_of(path, files, *names):
    write(path, {name: files[name][0] for name in names})
    return path


def test_two_files_are_split_by_the_seed(tmp_path, files):
    two = ["data_batch_2.bin", "data_batch_5.bin"]
    folder = folder_of(tmp_path, files, *two)
    data = batch_files.read([folder], records=RECORDS)
    assert (len(data.train_labels), len(data.test_labels)) == (100, 20)
    assert torch.bincount(data.test_labels).tolist() == [round(0.2 * 12)] * 10
    there = {images.tobytes(): label for name in two for images, label in zip(*files[name][1:], strict=True)}
    pairs = (data.train_images, data.train_labels), (data.test_images, data.test_labels)
    read = {image.numpy().tobytes(): int(label) for part in pairs for image, label in zip(*part, strict=True)}
    assert read == there  # each image once, with its label
    again, other = (batch_files.read([folder], seed, RECORDS) for seed in (0, 1))
    assert torch.equal(data.test_images, again.test_images)
    assert not torch.equal(data.test_images, other.test_images)
    trained, tested = batch_files.described(data)
    assert trained == "100 of data_batch_2, data_batch_5"
    assert tested == "20 of the same files, a fifth of every class, held out by seed 0"
    assert batch_files.unpublished(data) == two
    assert data.name == "cifar-10 from data_batch_2, data_batch_5"


def test_the_test_batch_tests_and_files_lie_in_several_folders(tmp_path, files):
    folders = [folder_of(tmp_path / str(k), files, name) for k, name in enumerate(files)]
    data = batch_files.read(folders[::-1], records=RECORDS)
    for part, names in (("train", ["data_batch_2.bin", "data_batch_5.bin"]), ("test", ["test_batch.bin"])):
        images, labels = (np.concatenate([files[name][k] for name in names]) for k in (1, 2))
        assert np.array_equal(getattr(data, f"{part}_images"), images)
        assert np.array_equal(getattr(data, f"{part}_labels"), labels)
    assert batch_files.described(data) == ("120: data_batch_2, data_batch_5", "60: test_batch")


def test_all_files_are_the_whole_set(tmp_path):
    made, parts = cifar_files()
    write(tmp_path, made)
    data = batch_files.read([tmp_path], records=10)
    assert data.name == "cifar-10"
    assert np.array_equal(data.train_images, parts["train"][0])
    assert np.array_equal(data.test_labels, parts["test"][1])


def test_files_that_do_not_serve_are_named(tmp_path, files):
    folder = folder_of(tmp_path, files, "test_batch.bin")
    with pytest.raises(FileNotFoundError, match=r"data_batch_1.bin or another of the five; found none in "):
        batch_files.read([folder], records=RECORDS)
    (folder / "data_batch_3.bin").write_bytes(files["data_batch_2.bin"][0][:-1])
    with pytest.raises(ValueError, match=r"data_batch_3.bin holds"):
        batch_files.read([folder], records=RECORDS)


@pytest.fixture
def cifar(monkeypatch):
    monkeypatch.setenv("PDE_COMPILE", "wait")  # which benchmarks/report.py sets
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setattr(torch, "compile", lambda model: model)
    monkeypatch.setattr(torch.compiler, "set_stance", lambda stance: None)  # a rehearsal sets it for the whole process
    return importlib.import_module("cifar")


def test_epochs_fit(cifar):
    assert [cifar.epochs_within(seconds, 3.0) for seconds in (-5.0, 3.0, 100.0, 1e6)] == [1, 1, 30, cifar.MOST]
    for seconds in (10.0, 99.0):
        assert cifar.epochs_within(seconds, 1.0) <= seconds < (cifar.epochs_within(seconds, 1.0) + 1) / cifar.SHARE


def test_a_run_whose_time_is_over_goes_on(cifar, monkeypatch, tmp_path):
    command = ["cifar.py", "--device", "cpu", "--quick", "--runs", f"{tmp_path}/runs", "--output", f"{tmp_path}/out"]

    def run(*options):
        monkeypatch.setattr(sys, "argv", [*command, *options])
        cifar.main()
        (record,) = (tmp_path / "out").rglob("record.json")
        return json.loads(record.read_text()), (tmp_path / "out" / "gpu_cifar.md").read_text()

    record, text = run("--epochs", "2", "--seconds", "0")
    assert (record["status"], record["step"]) == ("stopped", 1)
    assert "| 0 of 2, stopped |" in text
    record, text = run()
    assert record["resumed"][0]["from_step"] == 1
    assert (record["status"], record["epoch"]) == ("finished", 2)
    assert f"| 2 | {100 * record['result']['accuracy']:.2f} |" in text


def test_no_epochs_are_refused_before_a_trial(cifar, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["cifar.py", "--epochs", "0"])
    with pytest.raises(SystemExit):
        cifar.main()
    assert "--epochs: must be an integer of at least 1; got 0" in capsys.readouterr().err


@pytest.mark.parametrize("code", [0, 2])
def test_all_parts_run_and_a_failure_is_told(cifar, monkeypatch, capsys, code):
    def run(command, timeout):
        part = Path(command[1]).stem
        if part == "poisson":
            raise subprocess.TimeoutExpired(command, timeout)
        return subprocess.CompletedProcess(command, code if part == "cifar" else 0)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(sys, "argv", ["all.py", "--device", "cpu"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module("all").main()
    assert ended.value.code == bool(code)
    told = capsys.readouterr().out
    assert f"cifar: {'ended with exit code 2' if code else 'done'}" in told
    assert "networks: done" in told
    assert "poisson: stopped after 120 s" in told
