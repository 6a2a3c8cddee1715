"""The model card says what the record says, and nothing else."""

import json

import nets
from nets.runs import model_card as cards
from nets.runs import records
from nets.runs.model_card import model_card
from tests.nets.runs.test_report import MGNET, write
from tests.nets.training.test_training import NAME, blobs


def record(folder, **other):
    return json.loads(write(folder, **other).read_text())


def test_a_run_leaves_its_card(tmp_path):
    result = nets.train(NAME, blobs(), epochs=1, batch=16, output=tmp_path / "run", progress=False)
    text = (tmp_path / "run" / cards.FILE).read_text()
    assert text == model_card(json.loads((tmp_path / "run" / "record.json").read_text()))
    assert text.startswith(f"# {NAME} on blobs\n")
    assert f"**{100 * result.accuracy:.2f} %** of 20 test images" in text
    assert f"| parameters | {nets.parameters(result.model)} |" in text
    assert "| batch | 16 |" in text


def test_settings_that_make_it_another_network_are_said(tmp_path):
    settings = {"activation": "gelu", "in_channels": 1, "transfers": "bilinear", "iteration": "single"}
    path = write(tmp_path, settings=settings, model="MgNet[2,2]-[8]-B^l")
    text = model_card(json.loads(path.read_text()))
    assert "| settings | activation = gelu, in_channels = 1, transfers = bilinear |" in text
    assert records.read(path).network == "MgNet[2,2]-[8]-B^l, gelu, transfers=bilinear"


def test_results_and_what_is_published(tmp_path):
    text = model_card(record(tmp_path, accuracy=0.9612))
    assert "**96.12 %** of 10,000 test images, n = 1 run (last epoch)" in text
    assert "± 0.19 %" in text  # sqrt(0.9612 * 0.0388 / 10000)
    assert "96.00 % (N23)" in text
    assert "93.04 % (S19)" in text


def test_classes_that_are_worst_come_first(tmp_path):
    result = {"accuracy": 0.5, "which": "last epoch", "per_class": [0.9, None, 0.1, 0.5]}
    data = {"name": "animals", "train": 5, "test": 4, "classes": ["cat", "dog", "elk", "fox"]}
    text = model_card(record(tmp_path, data=data, result=result))
    assert "elk (10.0 %), fox (50.0 %), cat (90.0 %)." in text


def test_a_run_without_a_result_says_so(tmp_path):
    text = model_card(record(tmp_path, status="diverged"))
    assert "**The run is diverged: the loss is nan at step 7.** It has no result." in text
    assert "Top-1" not in text


def test_a_record_of_little_makes_a_card():
    text = model_card({"model": MGNET, "data": {"name": "x"}, "status": "finished", "result": {"accuracy": 1.0}})
    assert "None" not in text
    assert "nan" not in text
