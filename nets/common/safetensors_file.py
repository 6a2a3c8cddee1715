"""Tensors and texts in a .safetensors file, the format that other libraries exchange weights in.

Eight bytes with the length of a header (little-endian), the header, which is JSON, and the values of all tensors, one
behind the other (https://github.com/huggingface/safetensors, "Format"). Nothing in it is code. The format has no
checksum; files from here have one among their texts, of the header and of the values, and it is verified.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nets.common.checked_file import DamagedFileError, write_atomically

DTYPES = {
    **{"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "BOOL": torch.bool},
    **{"I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8},
}
"""The types that are read and written, by their names in the header."""
TEXTS, SHA256 = "__metadata__", "sha256"
LENGTH, LONGEST = 8, 100_000_000
"""Bytes before the header, and the longest header that the format allows."""


def write(path: Path, tensors: Mapping[str, Tensor], texts: Mapping[str, str]) -> None:
    """Write tensors by name, and texts about them; the old content of the file stays until all of the new is there."""
    _check_byte_order()
    names = {dtype: name for name, dtype in DTYPES.items()}
    header: dict[str, Any] = {TEXTS: {"format": "pt", **texts}}
    parts, start = [], 0
    # the widest numbers first, so that all of them are aligned
    for name, tensor in sorted(tensors.items(), key=lambda pair: (-pair[1].element_size(), pair[0])):
        if tensor.dtype not in names:
            raise ValueError(f"{name} must have one of the types {', '.join(map(str, names))}; got {tensor.dtype}")
        parts.append(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        end = start + len(parts[-1])
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
        start = end
    values = b"".join(parts)
    header[TEXTS][SHA256] = _sha256(header, values)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % LENGTH)
    write_atomically(path, len(text).to_bytes(LENGTH, "little") + text + values)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors of a file by name, on the CPU, and its texts.

    Raises:
        DamagedFileError: the file is missing, truncated, damaged or of another kind, or has tensors of other types.
    """
    _check_byte_order()
    if not path.is_file():
        raise DamagedFileError(f"there is no file {path}")
    content = bytearray(path.read_bytes())
    length = int.from_bytes(content[:LENGTH], "little")
    start = LENGTH + length
    if length > LONGEST or start > len(content):
        raise DamagedFileError(f"{path} is truncated, damaged or no safetensors file: its header has no end")
    try:
        header = json.loads(content[LENGTH:start].decode(), object_pairs_hook=_once)
        texts = header.get(TEXTS, {})
        if not all(isinstance(text, str) for text in texts.values()):
            raise ValueError(f"{TEXTS} holds something else than texts")
        entries = sorted(((n, e) for n, e in header.items() if n != TEXTS), key=lambda pair: pair[1]["data_offsets"])
        values, tensors, at = memoryview(content)[start:], {}, 0
        for name, entry in entries:
            tensors[name], at = _tensor(name, entry, values, at), entry["data_offsets"][1]
        if at != len(values):
            raise ValueError(f"{len(values) - at} bytes belong to no tensor")
        if SHA256 in texts and texts[SHA256] != _sha256(header, values):
            raise ValueError("its SHA-256 is not the one in its header")
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise DamagedFileError(f"{path} is truncated, damaged or no safetensors file: {error}") from error
    return tensors, texts


def is_safetensors(path: Path) -> bool:
    """Tell by the first bytes: the length of a header, and the header, which is JSON."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        start = file.read(LENGTH + 1)
    return start[LENGTH:] == b"{" and int.from_bytes(start[:LENGTH], "little") < path.stat().st_size


def _tensor(name: str, entry: Mapping[str, Any], values: memoryview, at: int) -> Tensor:
    """Take the next tensor, which begins where the one before ended."""
    dtype, shape, (start, end) = DTYPES.get(entry["dtype"]), entry["shape"], entry["data_offsets"]
    if dtype is None:
        raise ValueError(f"{name} has type {entry['dtype']}, and those read here are {', '.join(DTYPES)}")
    if not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"{name} has the shape {shape}")
    if start != at or end > len(values) or end - start != prod(shape) * dtype.itemsize:
        raise ValueError(f"{name}, {entry['dtype']} of shape {shape}, cannot be bytes {start} to {end}")
    flat = torch.frombuffer(values[start:end], dtype=torch.uint8) if end > start else torch.empty(0, dtype=torch.uint8)
    return flat.clone().view(dtype).reshape(shape)  # a copy is aligned


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is there twice")
    return found


def _sha256(header: Mapping[str, Any], values: bytes | memoryview) -> str:
    """Of the header without this text, its names in order, and the values."""
    texts = {name: text for name, text in header[TEXTS].items() if name != SHA256}
    digest = hashlib.sha256(json.dumps({**header, TEXTS: texts}, sort_keys=True).encode())
    digest.update(values)
    return digest.hexdigest()


def _check_byte_order() -> None:
    if sys.byteorder != "little":
        raise DamagedFileError("safetensors files are little-endian, and this machine is not")
