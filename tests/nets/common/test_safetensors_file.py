"""Tensors and texts survive a .safetensors file, and a damaged one is refused."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nets.common import safetensors_file
from nets.common.checked_file import DamagedFileError

TENSORS = {
    "weight": torch.arange(12.0).reshape(3, 4).T,
    "count": torch.tensor(3),
    "none": torch.zeros(0, 2),
    "half": torch.tensor([1.5, -2]).half(),
    "bf16": torch.tensor([[1.5], [-2]]).bfloat16(),
    "double": torch.tensor([1 / 3, float("inf")], dtype=torch.float64),
    "mask": torch.tensor([True, False, True]),
    "bytes": torch.tensor([0, 255], dtype=torch.uint8),
}
HEADER = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}


def same(found, tensors=TENSORS):
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def foreign(path, header, values=bytes(8)):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + values)
    return path


def test_every_type_there_and_back(tmp_path):
    path = tmp_path / "all.safetensors"
    safetensors_file.write(path, TENSORS, {"title": "Größe"})
    tensors, texts = safetensors_file.read(path)
    same(tensors)
    assert texts["title"] == "Größe"
    assert safetensors_file.is_safetensors(path)
    with pytest.raises(ValueError, match=r"phase must have one of the types .*; got torch\.complex64"):
        safetensors_file.write(path, {"phase": torch.zeros(1, dtype=torch.complex64)}, {})
    same(safetensors_file.read(path)[0])  # the old content


def test_the_package_safetensors_agrees(tmp_path):
    other = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")
    safetensors_file.write(tmp_path / "ours", TENSORS, {})
    same(other.load_file(tmp_path / "ours"))
    other.save_file({name: tensor.contiguous() for name, tensor in TENSORS.items()}, tmp_path / "theirs")
    same(safetensors_file.read(tmp_path / "theirs")[0])


@given(st.data())
def test_any_flipped_bit_is_seen(tmp_path_factory, data):
    """In the length, the header, its padding apart, and the values."""
    path = tmp_path_factory.mktemp("flipped") / "net.safetensors"
    safetensors_file.write(path, TENSORS, {"title": "net"})
    content = bytearray(path.read_bytes())
    padding = range(content.rindex(b"}}") + 2, 8 + int.from_bytes(content[:8], "little"))
    at = data.draw(st.integers(0, len(content) - 1).filter(lambda n: n not in padding))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=r"net\.safetensors is truncated, damaged or no safetensors file"):
        safetensors_file.read(path)


@pytest.mark.parametrize(
    ("header", "values", "words"),
    [
        (HEADER, bytes(7), "bytes 0 to 8"),
        (HEADER, bytes(9), "1 bytes belong to no tensor"),
        ({"a": {**HEADER["a"], "dtype": "F8_E4M3"}}, bytes(8), "a has type F8_E4M3, and those read here are F64"),
        ({"a": {**HEADER["a"], "shape": [3]}}, bytes(8), r"a, F32 of shape \[3\], cannot be bytes 0 to 8"),
        ({"a": {**HEADER["a"], "shape": [-2]}}, bytes(8), r"a has the shape \[-2\]"),
        ({"a": {**HEADER["a"], "data_offsets": [8, 0]}}, bytes(8), "cannot be bytes 8 to 0"),
        ({**HEADER, "b": HEADER["a"]}, bytes(8), "b, F32 .* cannot be bytes 0 to 8"),
        ({"a": {"dtype": "F32"}}, bytes(8), "data_offsets"),
        ({**HEADER, "__metadata__": {"n": 1}}, bytes(8), "__metadata__ holds something else than texts"),
        (b'{"a": 1, "a": 2}', bytes(8), "twice"),
        (b"[]", bytes(8), "no safetensors file"),
        (b"{", bytes(8), "no safetensors file"),
    ],
)
def test_headers_that_do_not_fit(tmp_path, header, values, words):
    with pytest.raises(DamagedFileError, match=words):
        safetensors_file.read(foreign(tmp_path / "net.safetensors", header, values))


def test_other_files(tmp_path):
    (tmp_path / "short").write_bytes(b"abc")
    for name, words in (("short", "its header has no end"), ("absent", "there is no file")):
        assert not safetensors_file.is_safetensors(tmp_path / name)
        with pytest.raises(DamagedFileError, match=words):
            safetensors_file.read(tmp_path / name)
    same(safetensors_file.read(foreign(tmp_path / "plain", HEADER))[0], {"a": torch.zeros(2)})  # without a checksum
