"""Checkpoints: damage anywhere is seen, the last two are kept, and one of them is always whole."""

import hashlib
import os

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nets
from nets import CheckpointError
from nets.common import checked_file
from nets.models import checkpoint as checkpoints
from nets.models.checkpoint import FILE, PREVIOUS, read

CONTENT = {
    "numbers": torch.arange(6.0).reshape(2, 3),
    "rows": [{"loss": 0.5, "epoch": 1}],
    "none": None,
    "pair": (1, 2),
}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A sealed file and its bytes."""
    path = tmp_path_factory.mktemp("sealed") / FILE
    checked_file.write(path, CONTENT)
    return path, path.read_bytes()


def record(epoch):
    """A whole record of a small network."""
    model = nets.create_model("MgNet[1]-[2]-B^l", num_classes=3, in_channels=1)
    rest = dict.fromkeys(checkpoints.KEYS)
    return {
        **rest,
        "model": model.config.description,
        "weights": model.state_dict(),
        "epoch": epoch,
        "step": 4 * epoch,
    }


def test_torch_reads_a_sealed_file(file):
    path, content = file
    loaded = torch.load(path, weights_only=True)
    assert torch.equal(loaded.pop("numbers"), CONTENT["numbers"])
    assert loaded == {name: value for name, value in CONTENT.items() if name != "numbers"}
    assert content[-64:].decode() == hashlib.sha256(content[:-64]).hexdigest()


def seen(path, content):
    """Whether damage is seen."""
    path = path.with_name("damaged.pt")
    path.write_bytes(content)
    try:
        return not checked_file.read(path)[1]
    except checked_file.DamagedFileError as error:
        return str(path) in str(error) and "\n" not in str(error)


def test_every_truncation_is_seen(file):
    path, content = file
    for length in range(len(content)):
        if length < 200 or length > len(content) - 200 or length % 97 == 0:
            assert seen(path, content[:length]), length
    assert seen(path, content + b"\0")


@given(st.data())
def test_every_flipped_bit_is_seen(file, data):
    path, content = file
    at, bit = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(0, 7))
    assert seen(path, content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :])


def test_damaged_numbers_of_a_plain_file_are_seen(tmp_path):
    """torch.load itself reads them without a word."""
    torch.save(CONTENT, tmp_path / "plain.pt")
    assert not checked_file.read(tmp_path / "plain.pt")[1]
    content = bytearray((tmp_path / "plain.pt").read_bytes())
    content[content.index(CONTENT["numbers"].numpy().tobytes()) + 8] ^= 1
    (tmp_path / "damaged.pt").write_bytes(content)
    assert not torch.equal(torch.load(tmp_path / "damaged.pt")["numbers"], CONTENT["numbers"])
    with pytest.raises(checked_file.DamagedFileError, match=r"damaged\.pt is damaged: the checksum of .* is wrong"):
        checked_file.read(tmp_path / "damaged.pt")


def test_the_last_two_are_kept(tmp_path):
    for epoch in (1, 2, 3):
        checkpoints.save(tmp_path, record(epoch))
    assert sorted(os.listdir(tmp_path)) == [PREVIOUS, FILE]
    assert (read(tmp_path)["epoch"], read(tmp_path / PREVIOUS)["epoch"]) == (3, 2)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing"])
def test_the_one_before_is_used(tmp_path, damage):
    for epoch in (1, 2):
        checkpoints.save(tmp_path, record(epoch))
    path = tmp_path / FILE
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        path.write_bytes(flipped if damage == "flipped" else content[:middle])
    with pytest.warns(UserWarning, match=rf"{FILE}.*{PREVIOUS} \(epoch 1, step 4\) is used instead"):
        assert read(tmp_path)["epoch"] == 1
    with pytest.raises(CheckpointError, match=FILE):
        read(path)  # this file and no other was asked for
    checkpoints.save(tmp_path, record(3))
    assert (read(tmp_path)["epoch"], read(tmp_path / PREVIOUS)["epoch"]) == (3, 1)  # damage takes no good file's place
    for name in (FILE, PREVIOUS):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(CheckpointError, match=rf"{FILE} .*{PREVIOUS} "):
        read(tmp_path)


def test_a_record_without_its_checksum_is_refused(tmp_path):
    torch.save({"format": checkpoints.FORMAT, **record(1)}, tmp_path / FILE)
    for attempt in (lambda: read(tmp_path), lambda: nets.create_model("MgNet[1]-[2]-B^l", weights=tmp_path / FILE)):
        with pytest.raises(CheckpointError, match="does not end with its SHA-256"):
            attempt()


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the package catches it."""


STEPS = [("fsync", 1, 2), ("replace", 1, 2), ("replace", 2, 2), ("fsync", 2, 3)]


@pytest.mark.parametrize(("call", "count", "newest"), STEPS)
def test_killed_between_any_two_steps_of_a_write(tmp_path, call, count, newest, monkeypatch):
    for epoch in (1, 2):
        checkpoints.save(tmp_path, record(epoch))
    real, left = getattr(os, call), [count]

    def killed(*arguments):
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return real(*arguments)

    monkeypatch.setattr(os, call, killed)
    with pytest.raises(Killed):
        checkpoints.save(tmp_path, record(3))
    monkeypatch.undo()
    found = [read(tmp_path / name)["epoch"] for name in (FILE, PREVIOUS) if (tmp_path / name).exists()]
    assert max(found) == newest
    checkpoints.save(tmp_path, record(4))
    assert sorted(os.listdir(tmp_path)) == [PREVIOUS, FILE]
