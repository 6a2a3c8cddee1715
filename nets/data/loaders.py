"""Torch's data sets and DataLoaders, read once into tensors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    default_collate,
)
from torch.utils.data import Dataset as TorchDataset

from nets.data.given import as_tensor, kind_of

LARGEST = 2**33
"""Bytes of images and targets that are read into memory, at most."""
WHOLE = (SequentialSampler, RandomSampler)
"""Samplers that give every item of a data set, in an order that does not matter here."""

TorchData = DataLoader[Any] | TorchDataset[Any]


def is_torch_data(data: Any) -> bool:
    return isinstance(data, DataLoader | TorchDataset)


def collect(data: TorchData, progress: bool | None = None) -> tuple[Tensor, Tensor]:
    """Read every pair (image, target) once, in the order of the data set, whatever order a loader draws.

    Images are tensors or arrays (channels, n, ...), or pictures of Pillow in grey or RGB; floats become float32.

    Args:
        progress: whether to show a bar; None shows it on a terminal.

    Raises:
        TypeError, ValueError: naming the item or batch that is no such pair, or has another shape than the first.
    """
    from tqdm import tqdm

    single, count, pairs = _pairs(data)
    one, many = ("item", "items") if single else ("batch", "batches")
    images: list[Tensor] = []
    targets: list[Tensor] = []
    size = 0
    disable = None if progress is None else not progress
    for number, pair in enumerate(tqdm(pairs, total=count, unit=f" {many}", desc="reading", disable=disable)):
        try:
            image, target = _tensors(pair, single)
            _check_alike(image, images)
            _check_alike(target, targets)
        except Exception as error:  # a data set of one's own raises errors of every kind
            reason = str(error) if isinstance(error, _UnfitError) else f"{type(error).__name__}: {error}"
            raise ValueError(f"data: {one} {number} cannot be taken: {reason}") from error
        size += image.nbytes + target.nbytes
        total = size if count is None else size // (number + 1) * count
        if total > LARGEST:
            which = f"{number + 1 if count is None else 'all'} {many}"
            raise ValueError(
                f"data must fit into {LARGEST:,} bytes of memory; {which} have {total:,}: give fewer or smaller "
                "images, or a folder of images ('folder:PATH'), which may stay in its files"
            )
        images.append(image)
        targets.append(target)
    if not images:
        raise ValueError("data must hold a pair (image, target) or more; got none")
    return torch.cat(images), torch.cat(targets)


def names_of(data: TorchData) -> tuple[str, ...] | None:
    """The names of the classes, where the data set has them as torchvision's do."""
    inner: Any = data
    while isinstance(inner, DataLoader | Subset):
        inner = inner.dataset
    names = getattr(inner, "classes", None)
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        return None
    return tuple(names) or None


def _pairs(data: TorchData) -> tuple[bool, int | None, Iterable[Any]]:
    """Pairs: whether they are single items, not batches, how many there are, where that is known, and they."""
    if isinstance(data, IterableDataset):
        return True, None, data
    if not isinstance(data, DataLoader):
        return _in_order(data, range(_length(data)), 0)
    if isinstance(data.dataset, IterableDataset):
        if data.collate_fn is default_collate or data.batch_size is None:
            return True, None, data.dataset  # workers would each give every item, unless they share them out
        return False, None, DataLoader(data.dataset, data.batch_size, collate_fn=data.collate_fn)
    usual = type(data.batch_sampler) in (BatchSampler, type(None))
    drawn = isinstance(data.sampler, RandomSampler) and (
        data.sampler.replacement or data.sampler.num_samples != _length(data.dataset)
    )
    if not usual or drawn or type(data.sampler) not in (*WHOLE, SubsetRandomSampler):
        other = type(data.sampler if usual else data.batch_sampler).__name__
        raise TypeError(
            f"data must be a DataLoader that gives each item once; this one draws by {other}: give its data set "
            "instead, or torch.utils.data.Subset of it"
        )
    indices: Sequence[int] = range(_length(data.dataset))
    if isinstance(data.sampler, SubsetRandomSampler):
        indices = sorted(int(index) for index in data.sampler.indices)
    if data.collate_fn is default_collate or data.batch_size is None:
        return _in_order(data.dataset, indices, data.num_workers)
    settings: dict[str, Any] = {"collate_fn": data.collate_fn, "num_workers": data.num_workers}
    batches = DataLoader(Subset(data.dataset, indices), data.batch_size, generator=torch.Generator(), **settings)
    return False, len(batches), batches


def _in_order(data: TorchDataset[Any], indices: Sequence[int], workers: int) -> tuple[bool, int, Iterable[Any]]:
    settings: dict[str, Any] = {"collate_fn": _as_it_is, "num_workers": workers}
    generator = torch.Generator()  # or the loader would draw from the caller's stream
    return True, len(indices), DataLoader(_Items(data, indices), batch_size=None, generator=generator, **settings)


def _as_it_is(item: Any) -> Any:
    return item


def _length(data: TorchDataset[Any]) -> int:
    try:
        return len(data)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"data must have a length; {type(data).__name__} has none") from None


class _Items(TorchDataset[Any]):
    """Items of a data set by their places; the error of one that cannot be read stands for it."""

    def __init__(self, data: TorchDataset[Any], indices: Sequence[int]) -> None:
        self.data, self.indices = data, indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, place: int) -> Any:
        try:
            return self.data[self.indices[place]]
        except Exception as error:
            return error


class _UnfitError(ValueError):
    """An item is no pair of an image and a target, or unlike the first; the message says how."""


def _check_alike(values: Tensor, others: list[Tensor]) -> None:
    if others and (values.shape[1:] != others[0].shape[1:] or values.dtype != others[0].dtype):
        kinds = [f"{tensor.dtype} of shape {tuple(tensor.shape[1:])}" for tensor in (values, others[0])]
        raise _UnfitError(f"it has {kinds[0]}, and the first {kinds[1]}")


def _tensors(pair: Any, single: bool) -> tuple[Tensor, Tensor]:
    """Images and targets with an axis of batches."""
    if isinstance(pair, Exception):
        raise pair
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        got = f"{len(pair)} values" if isinstance(pair, tuple | list) else kind_of(pair)
        raise _UnfitError(f"it must be a pair (image, target); got {got}")
    image, target = _image(pair[0]), _target(pair[1])
    if not single and not (image.ndim and target.ndim and len(image) == len(target)):
        raise _UnfitError(f"it must have as many targets as images; got {tuple(target.shape)} and {tuple(image.shape)}")
    return (image[None], target[None]) if single else (image, target)


def _image(image: Any) -> Tensor:
    """An image as a tensor; of a picture of Pillow the channels come first."""
    if hasattr(image, "getbands"):
        if image.mode not in ("L", "RGB"):
            raise _UnfitError(f"a picture must be in the mode L or RGB; got {image.mode}: use .convert('RGB')")
        pixels = np.array(image)
        image = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    found = as_tensor(image)
    if not isinstance(found, Tensor):
        raise _UnfitError(f"an image must be a torch.Tensor, an array of numbers or a picture; got {kind_of(image)}")
    return found.detach().cpu().float() if found.is_floating_point() else found.cpu()


def _target(target: Any) -> Tensor:
    found = torch.tensor(target) if isinstance(target, int | float | np.number) else as_tensor(target)
    if not isinstance(found, Tensor):
        raise _UnfitError(f"a target must be a number, a torch.Tensor or an array; got {kind_of(target)}")
    return found.detach().cpu()
