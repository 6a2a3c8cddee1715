"""The digits of scikit-learn, the command line, and the pictures."""

import subprocess
import sys

import pytest
import torch

import nets
from nets import plot
from nets.__main__ import main
from nets.data import Dataset, digits


@pytest.mark.parametrize("seed", [0, 7])
def test_split(seed):
    data = digits(seed)
    assert data.train_images.shape == (1437, 1, 8, 8)
    assert data.test_images.shape == (360, 1, 8, 8)
    seen = data.normalise(data.train_images).double()
    # 64 * 1437 numbers of size up to about 2 are rounded to float32
    assert abs(float(seen.mean())) < 2 * torch.finfo(torch.float32).eps
    assert abs(float(seen.std(correction=0)) - 1) < 2 * torch.finfo(torch.float32).eps
    assert torch.equal(digits(seed).test_images, data.test_images)
    assert not torch.equal(digits(seed + 1).test_images, data.test_images)
    for labels, count in ((data.train_labels, 1437), (data.test_labels, 360)):
        assert all(abs(int(n) - count / 10) < 5 for n in torch.bincount(labels))


def test_split_has_every_image_once():
    data = digits(3)
    assert len(torch.cat([data.train_images, data.test_images]).flatten(1).unique(dim=0)) == 1797


def test_missing_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        digits()


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 2])
def test_bad_fraction(fraction):
    with pytest.raises(ValueError, match="test_fraction"):
        digits(0, fraction)


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("train_images", torch.zeros(4, 1, 2, 2, dtype=torch.int16), "train_images must be uint8 or floats"),
        ("test_images", torch.zeros(4, 1, 2, 2, dtype=torch.uint8), "test_images must be torch.float32"),
        ("train_images", torch.zeros(0, 1, 2, 2), "N >= 1"),
        ("test_images", torch.zeros(4, 1, 2, 3), "test_images must have the shape of train_images"),
        ("train_labels", torch.zeros(3, dtype=torch.long), "train_labels must be 4 integers"),
        ("test_labels", torch.zeros(4), "test_labels must be integer labels"),
        ("test_labels", torch.tensor([0, 1, 2, 3]), r"test_labels must lie in 0 \.\.\. 1"),
    ],
)
def test_bad_data(part, value, words):
    images, labels = torch.zeros(4, 1, 2, 2), torch.zeros(4, dtype=torch.long)
    parts = {"train_images": images, "train_labels": labels, "test_images": images, "test_labels": labels}
    with pytest.raises(ValueError, match=words):
        Dataset("bad", **{**parts, part: value}, class_names=("a", "b"))


def test_few_epochs_learn_digits():
    assert nets.train("MgNet[2,2]-[16]-B^{l,i}", "digits", epochs=5, progress=False).accuracy >= 0.93


@pytest.mark.slow
def test_recipe_reaches_the_published_accuracy():
    accuracies = [nets.train("MgNet[2,2]-[32]-B^{l,i}", "digits", seed=seed).accuracy for seed in range(5)]
    assert min(accuracies) >= 0.985
    assert sum(accuracies) / 5 >= 0.988


def test_command_line(tmp_path, capsys):
    run = ["train", "--model", "MgNet[1,1]-[4]-B^l", "--epochs", "1", "--seed", "3", "--output", str(tmp_path / "run")]
    assert main(run) == 0
    printed = capsys.readouterr().out
    assert "held-out accuracy" in printed
    names = {p.name for p in (tmp_path / "run").iterdir()}
    assert names >= {"checkpoint.pt", "history.csv", "learning_curve.png", "confusion_matrix.png", "misclassified.png"}
    assert main(["evaluate", str(tmp_path / "run")]) == 0
    assert capsys.readouterr().out == printed[: printed.index("written")]
    assert main(run) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--resume" in error
    assert main([*run, "--resume", "--activation-checkpointing"]) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--model", "MgNet[2,2]-[x]-B^l"], "a channel count"),
        (["train", "--data", "cifar"], "did you mean 'cifar-10'"),
        (["train", "--recipe", "fsat"], "did you mean 'fast'"),
        (["train", "--epochs", "0"], "epochs must be"),
        (["train", "--device", "abacus"], "device"),
        (["train", "--resume"], "output"),
        (["train", "--threads", "0"], "threads must be"),
        (["evaluate", "nowhere.pt"], "there is no file nowhere.pt"),
        (["list", "LeNet-6*"], "no name matches 'LeNet-6*'"),
    ],
)
def test_errors_are_one_line(arguments, words, capsys):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert words in captured.err


@pytest.mark.parametrize("command", [[], ["list"], ["train"], ["evaluate"]])
def test_help(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    assert "usage: python -m nets" in capsys.readouterr().out


def test_activation_checkpointing_from_the_shell(monkeypatch):
    given = []
    monkeypatch.setattr(nets, "train", lambda model, data, **rest: given.append(model) or sys.exit())
    for flags in ([], ["--activation-checkpointing"]):
        with pytest.raises(SystemExit):
            main(["train", "--model", "MgNet[1]-[4]-B^l", *flags])
    assert [model.activation_checkpointing for model in given] == [False, True]


def test_list(capsys):
    assert main(["list", "MgNet*[256]*"]) == 0
    assert "MgNet[2,2,2,2]-[256]-B^l" in capsys.readouterr().out.splitlines()


def test_import_brings_neither_plots_nor_data_sets():
    code = "import sys, nets; print([m for m in ('pde', 'matplotlib', 'sklearn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("wrong", [0, 3, 20])
def test_misclassified(tmp_path, channels, wrong):
    truth = torch.zeros(25, dtype=torch.long)
    predicted = truth.clone()
    predicted[:wrong] = 1
    plot.misclassified(torch.randn(25, channels, 8, 8), truth, predicted, tmp_path / "a.png", ("cat", "dog"))
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_confusion_matrix_must_fit_the_names(tmp_path):
    with pytest.raises(ValueError, match=r"matrix must have shape \(2, 2\)"):
        plot.confusion_matrix(torch.eye(3), ("a", "b"), tmp_path / "a.png")


def test_plots_leave_matplotlib_alone(tmp_path):
    code = (
        "import sys, torch; from nets import plot; plot.confusion_matrix(torch.eye(3).long(), 'abc', sys.argv[1]);"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.png")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
