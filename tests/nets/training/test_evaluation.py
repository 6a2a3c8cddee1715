"""How a network classifies: counted image by image here, in batches there."""

import io
import json
import warnings
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn

import nets
from nets.__main__ import main
from nets.data import Dataset
from nets.data.published import CIFAR10, PUBLISHED
from tests.nets.data_files import cifar_files, small
from tests.nets.data_files import write as write_files


class Table(nn.Module):
    """A network that looks up the scores of an image by its first pixel, and of its mirror image by the last."""

    def __init__(self, scores):
        super().__init__()
        self.scores = nn.Parameter(scores)

    def forward(self, x):
        return self.scores[x[:, 0, 0, 0].long()]


def numbered(count, classes, seed):
    """Images whose first pixel is their number and whose last is that of the image after it, labels, and scores."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.zeros(count, 1, 2, 3)
    images[:, 0, 0, 0], images[:, 0, 0, 2] = torch.arange(count), torch.arange(count).roll(-1)
    labels = torch.randint(classes, (count,), generator=generator)
    return images, labels, torch.randn(count, classes, generator=generator)


@given(st.integers(1, 40), st.integers(2, 9), st.integers(1, 45), st.booleans(), st.integers(0, 2**32))
def test_counts_do_not_depend_on_the_batch(count, classes, batch, flip, seed):
    images, labels, scores = numbered(count, classes, seed)
    result = nets.evaluate(Table(scores), (images, labels), batch=batch, flip=flip)
    seen = scores + scores.roll(-1, 0) if flip else scores
    ranks = [sorted(range(classes), key=lambda k, row=row: -row[k]) for row in seen.tolist()]
    assert result.predictions.tolist() == [rank[0] for rank in ranks]
    assert result.accuracy == sum(rank[0] == label for rank, label in zip(ranks, labels.tolist(), strict=True)) / count
    hits5 = sum(label in rank[:5] for rank, label in zip(ranks, labels.tolist(), strict=True))
    assert result.top5 == (hits5 / count if classes > 5 else None)
    assert result.count == int(result.confusion.sum()) == count
    for k, share in enumerate(result.per_class):
        own = [rank[0] == k for rank, label in zip(ranks, labels.tolist(), strict=True) if label == k]
        assert share == (sum(own) / len(own) if own else None)


def test_classes_must_fit():
    images, labels, scores = numbered(6, 3, 0)
    data = Dataset("numbered", images, labels, images, labels, ("a", "b", "c", "d"))
    with pytest.raises(ValueError, match="data 'numbered' has 4 classes, and the model tells 3 classes apart"):
        nets.evaluate(Table(scores), data)


def test_flip_is_true_or_false():
    images, labels, scores = numbered(6, 3, 0)
    with pytest.raises(TypeError, match="flip must be True or False; got 1"):
        nets.evaluate(Table(scores), (images, labels), flip=1)


def test_images_are_left_out():
    images, labels, scores = numbered(30, 7, 5)
    whole = nets.evaluate(Table(scores), (images, labels))
    left = [i for i in range(30) if i not in (0, 3, 29)]
    part, alone = whole.without([0, 3, 29]), nets.evaluate(Table(scores), (images[left], labels[left]))
    assert (part.accuracy, part.top5, part.count) == (alone.accuracy, alone.top5, 27)
    assert torch.equal(part.confusion, alone.confusion)
    with pytest.raises(ValueError, match=r"indices must lie in 0 \.\.\. 29; got 30"):
        whole.without([30])
    with pytest.raises(ValueError, match="must leave an image"):
        whole.without(range(30))


@pytest.fixture(scope="module")
def cifar_run(tmp_path_factory):
    """A small CIFAR-10, a file that lists one training and two test images of it, and a run trained without them."""
    folder = tmp_path_factory.mktemp("cifar")
    files, _ = cifar_files()
    write_files(folder / "data" / "cifar-10", files)
    (folder / "out.txt").write_text("test_batch 1 1\ntest_batch 4\ntest_batch 4\ndata_batch_2 3\n")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setitem(PUBLISHED, "cifar-10", small(CIFAR10))
        warnings.simplefilter("ignore")  # that the files are not the published ones
        data = nets.data.load("cifar-10", data_dir=folder / "data", exclude=folder / "out.txt")
        settings = {"epochs": 1, "batch": 16, "output": folder / "run", "progress": False}
        nets.train("MgNet[1,1]-[4]-B^l", data, recipe=nets.Recipe(), **settings)
    return folder


@pytest.fixture
def cifar(cifar_run, monkeypatch):
    monkeypatch.setitem(PUBLISHED, "cifar-10", small(CIFAR10))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as above
        yield cifar_run


def test_command_with_and_without_excluded_images(cifar, capsys):
    arguments = ["evaluate", str(cifar / "run"), "--data-dir", str(cifar / "data")]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "of 10 images, top-5" in lines[0]
    record = json.loads((cifar / "run" / "record.json").read_text())
    accuracy = f"{100 * record['result']['accuracy']:.2f} %"
    assert lines[-1].startswith(f"without the 2 test images that the run left out: {accuracy} of 8 images, top-5 ")
    assert record["data"]["excluded"] == {"train": 1, "test": 2}
    assert "1 training and 2 test images left out" in (cifar / "run" / "model_card.md").read_text()
    arguments += ["--exclude", str(cifar / "out.txt"), "--flip", "--output", str(cifar / "pictures")]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "of 10 images, top-5" in lines[0]
    assert any(line.startswith("without the 2 test images") and "of 8 images" in line for line in lines)
    assert any(line.startswith("with test-time augmentation") and "of 10 images" in line for line in lines)
    pictures = {"calibration.png", "confusion_matrix.png", "misclassified.png"}
    assert {path.name for path in (cifar / "pictures").iterdir()} == pictures
    assert main([*arguments, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["images"] == 10
    assert sum(map(sum, values["confusion"])) == 10
    assert [other["images"] for other in values["others"].values()] == [8, 10]
    assert lines[0].startswith(f"held-out accuracy {100 * values['accuracy']:.2f} %")
    assert lines[1].startswith(f"calibration error (ECE) {100 * values['ece']:.2f} %")


def test_a_run_that_does_not_say_which_images_it_left_out(cifar, capsys):
    data = nets.data.load("cifar-10", data_dir=cifar / "data", exclude=cifar / "out.txt")
    settings = {"epochs": 1, "batch": 16, "output": cifar / "silent", "progress": False}
    nets.train("MgNet[1,1]-[4]-B^l", replace(data, excluded={}), recipe=nets.Recipe(), **settings)
    arguments = ["evaluate", str(cifar / "silent"), "--data-dir", str(cifar / "data")]
    assert main(arguments) == 2
    assert "--exclude" in capsys.readouterr().err
    assert main([*arguments, "--exclude", str(cifar / "out.txt")]) == 0
    assert "without the 2 test images in" in capsys.readouterr().out


def test_command_on_other_data(cifar, capsys):
    named = ["--data", "cifar-10", "--data-dir", str(cifar / "data")]
    assert main(["evaluate", str(cifar / "run"), *named]) == 0  # the images that were left out are no obstacle
    assert "of 10 images" in capsys.readouterr().out
    assert main(["evaluate", str(cifar / "run"), "--data", "digits"]) == 2
    assert "data 'digits' has 1 channels, and the network was trained on 3" in capsys.readouterr().err


def test_look(cifar, capsys):
    out = ["--output", str(cifar / "look"), "--channels", "2", "--kernels", "2"]
    run = ["look", str(cifar / "run")]
    image = cifar / "image.png"
    Image.new("RGB", (40, 32), "red").save(image)
    assert main([*run, "--image", str(image), *out]) == 0
    assert {path.name for path in (cifar / "look").iterdir()} == {"features.png", "kernels.png"}
    assert main([*run, "--index", "10", "--data-dir", str(cifar / "data"), *out]) == 2
    assert "index must lie in 0 ... 9; got 10" in capsys.readouterr().err


def test_other_data_are_normalised_as_in_training():
    """A white pixel is white, whether it is 255, 16 or 1."""
    transform = nets.Transform("digits", (1, 2, 2), (5.0,), (6.0,), ("a", "b"), white=16.0)
    labels = torch.tensor([0, 1])
    for white in (torch.full((2, 1, 2, 2), 255, dtype=torch.uint8), torch.full((2, 1, 2, 2), 7.0)):
        data = transform.apply_to(Dataset("other", white, labels, white, labels, ("a", "b")))
        # one rounding each in the scale, mean and std, the difference and the quotient
        assert data.normalise(white).unique().tolist() == pytest.approx([11 / 6], rel=8 * 2**-23)


def test_results_are_shown_without_their_tensors_and_weights():
    evaluation = nets.Evaluation(torch.tensor([0, 1, 1, 0]), torch.tensor([0, 1, 0, 0]), None, 2)
    assert repr(evaluation) == str(evaluation) == "Evaluation(4 images of 2 classes, accuracy=0.7500)"
    result = nets.TrainingResult(nn.Linear(2, 2), evaluation, [{}, {}], None)
    assert str(result) == "TrainingResult(Linear, accuracy=0.7500, 2 epochs, checkpoint=None)"


@pytest.mark.parametrize(
    ("names", "places"),
    [
        (("cat", "dog", "eel"), (0, 1, 2)),
        (("eel", "cat", "dog"), (2, 0, 1)),
        (("dog", "eel"), (1, 2)),
        (("Cat", "EEL"), (0, 2)),
        (("ca\u0301t", "eel"), None),
        (("cat", "fox"), None),
        (("apple", "pear", "plum"), None),
        (("cat", "Cat"), None),
    ],
)
def test_classes_of_other_data_are_matched_by_name(names, places):
    transform = nets.Transform("animals", (1, 2, 2), (0.0,), (1.0,), ("cat", "dog", "eel"))
    labels = torch.arange(6) % len(names)
    images = torch.ones(6, 1, 2, 2)
    data = Dataset("other", images, labels, images, labels, names)
    if places is None:
        with pytest.raises(ValueError, match=r"data 'other' must hold classes of the network, each once; got '"):
            transform.apply_to(data)
        return
    matched = transform.apply_to(data)
    assert matched.class_names == transform.class_names
    assert matched.test_labels.tolist() == matched.train_labels.tolist() == [places[k] for k in labels.tolist()]


def test_an_accent_may_be_a_code_point_of_its_own():
    """macOS writes names of folders so."""
    transform = nets.Transform("animals", (1, 2, 2), (0.0,), (1.0,), ("elan", "\u00e9lan"))
    images, labels = torch.ones(2, 1, 2, 2), torch.arange(2)
    data = Dataset("d", images, labels, images, labels, ("e\u0301lan", "elan"))
    assert transform.apply_to(data).test_labels.tolist() == [1, 0]


def test_names_that_differ_in_case_alone_are_two_classes_where_both_are_known():
    transform = nets.Transform("animals", (1, 2, 2), (0.0,), (1.0,), ("Cat", "cat"))
    images, labels = torch.zeros(2, 1, 2, 2), torch.tensor([0, 1])
    assert transform.match(Dataset("d", images, labels, images, labels, ("cat", "Cat"))).test_labels.tolist() == [1, 0]
    with pytest.raises(ValueError, match="'CAT'"):
        transform.match(Dataset("d", images, labels, images, labels, ("CAT", "cat")))


def test_a_network_matches_classes_by_name_when_it_is_evaluated():
    model = nets.create_model("MgNet[1]-[4]-B^l", in_channels=1, num_classes=2)
    model.transform = nets.Transform("animals", (1, 4, 4), (0.0,), (1.0,), ("cat", "dog"))
    images, labels = torch.rand(8, 1, 4, 4), torch.arange(8) % 2
    straight = nets.evaluate(model, Dataset("d", images, labels, images, labels, ("cat", "dog")))
    turned = nets.evaluate(model, Dataset("d", images, labels, images, 1 - labels, ("dog", "cat")))
    assert torch.equal(straight.confusion, turned.confusion)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_names_in_every_script_are_printed_on_every_stream(tmp_path, encoding):
    """A finished run ends with code 0, whatever its output can show."""
    for i, name in enumerate(("猫", "Ünal", "$x", "plain")):
        for k in range(2):
            (tmp_path / name).mkdir(exist_ok=True)
            Image.new("L", (6, 6), 60 * i + k).save(tmp_path / name / f"{k}.png")
    run = tmp_path.parent / f"{tmp_path.name}-run"
    command = ["train", "--data", f"folder:{tmp_path}", "--model", "MgNet[1]-[2]-B^l", "--epochs", "1", "--batch", "2"]
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr("sys.stdout", out)
        patch.setattr("sys.stderr", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
        assert main([*command, "--output", str(run)]) == 0
        assert main(["evaluate", str(run), "--json"]) == 0
    out.flush()
    text = out.buffer.getvalue().decode(encoding)
    assert "plain" in text
    assert json.loads(text[text.index("{") :])["per_class"].keys() == {"猫", "Ünal", "$x", "plain"}
