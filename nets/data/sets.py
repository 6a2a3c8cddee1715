"""The data sets by name."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from nets.common.checks import suggesting, suggestion
from nets.data.dataset import Dataset, SourceFile, statistics
from nets.data.dense import Data
from nets.data.download import download as fetch
from nets.data.files import Files
from nets.data.folder import image_folder, imagenet, imagenet_folder
from nets.data.given import as_tensor
from nets.data.npz import ENDING, load_file
from nets.data.published import PUBLISHED, Published
from nets.data.search import download_folder, find_files, missing
from nets.data.sklearn_digits import digits
from nets.data.subsets import excluded

PREFIX = "folder:"
DATA = {
    "digits": "handwritten digits that come with scikit-learn, 8 x 8",
    **{name: known.title for name, known in PUBLISHED.items()},
    "imagenet": "ImageNet, a folder train/ and a folder val/ with one folder of images per class",
    f"{PREFIX}PATH": "any folder of images: one folder per class, in train/ and test/ or split by the seed",
    f"FILE{ENDING}": "inputs and a target at every point: train_inputs, train_targets, test_inputs, test_targets",
}
"""Data sets by name, with a title."""


def is_known(name: str) -> bool:
    """Whether `load` takes this name."""
    return name in DATA or (name.startswith(PREFIX) and len(name) > len(PREFIX)) or is_file(name)


def is_file(name: str) -> bool:
    """Whether this is the path of a file of inputs and targets."""
    return name.endswith(ENDING)


def takes_size(name: str) -> bool:
    """Whether `load` resizes the images of this set, which are in files, to a size."""
    return name == "imagenet" or name.startswith(PREFIX)


def found_in(name: str, data_dir: str | os.PathLike[str] | None = None) -> str | None:
    """Where `load` finds a data set, or None."""
    if name == "digits":
        return "scikit-learn" if find_spec("sklearn") else None
    if name in PUBLISHED:
        files = find_files(PUBLISHED[name], data_dir)
        return None if files is None else str(files.where)
    if is_file(name):
        file = _folder(name, data_dir)
        return str(file) if file.is_file() else None
    folder = imagenet_folder(data_dir) if name == "imagenet" else _folder(name, data_dir)
    return str(folder) if folder is not None and folder.is_dir() else None


@suggesting
def load(
    name: str | os.PathLike[str],
    seed: int = 0,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = False,
    *,
    exclude: str | os.PathLike[str] | None = None,
    size: int | None = None,
    skip_damaged: bool = False,
    base_url: str | None = None,
    progress: bool | None = None,
) -> Data:
    """The data set of this name.

    Args:
        name: a name in `DATA`, "folder:" followed by the path of a folder of images, or the path of a file .npz
            (`load_dense`, or images and labels, `load_file`); paths start from data_dir if given.
        seed: splits digits and folders that have no test part; the others come with theirs.
        data_dir: the folder of the set, or one with a folder of that name. Without it $MGNET_DATA, ./data and
            ~/.cache/mgnet are searched, in this order.
        download: fetch what was not found, with its checksum; nothing is fetched otherwise.
        exclude: a file with the images to leave out, a line for each: the name of the file that holds it, and its
            number in there, from 0 (`nets.data.excluded`).
        size: for a folder, pixels per side: images are resized and cut to it.
        skip_damaged: for a folder, leave out files that cannot be read (`image_folder`).
        base_url: where to download from instead.
        progress: whether to show how a download goes; None shows it on a terminal.

    Raises:
        ValueError: for a name that is not in `DATA`, a file that is truncated or another than its name says.
        FileNotFoundError: where the files are not found, saying where to get them and where they belong.
    """
    name = os.fspath(name) if isinstance(name, os.PathLike) else name
    if not isinstance(name, str) or not is_known(name):
        raise ValueError(f"data must be one of {', '.join(map(repr, DATA))}; got {name!r}{_hint(name, data_dir)}")
    if size is not None and not takes_size(name):
        raise ValueError(f"size must be None: data {name!r} has images of one size; got {size!r}")
    if skip_damaged and not name.startswith(PREFIX):
        raise ValueError(f"skip_damaged must be False: data {name!r} is no folder of images")
    if is_file(name):
        if exclude is not None:
            raise ValueError(f"exclude must be None: it lists images, and data {name!r} are arrays; got {exclude!r}")
        return load_file(_folder(name, data_dir), name=name)
    if name == "digits":
        data = digits(seed)
    elif name.startswith(PREFIX):
        data = image_folder(_folder(name, data_dir), seed, size=size, skip_damaged=skip_damaged, progress=progress)
    elif name == "imagenet":
        data = imagenet(data_dir, size=224 if size is None else size)
    else:
        data = _published(PUBLISHED[name], data_dir, download, base_url, progress)
    if exclude is None:
        return data
    indices = excluded(exclude, data)
    return replace(data.without(**indices), excluded={part: sorted(set(images)) for part, images in indices.items()})


def _published(
    known: Published,
    data_dir: str | os.PathLike[str] | None,
    download: bool,
    base_url: str | None,
    progress: bool | None,
) -> Dataset:
    if download and data_dir is not None:
        Path(data_dir).mkdir(parents=True, exist_ok=True)
    try:
        data = _found(known, data_dir)
    except FileNotFoundError:
        if not download:
            raise
        fetch(known, download_folder(known.name, data_dir), base_url, progress)
        data = _found(known, data_dir)
    strange = ", ".join(file.name for file in data.source if file.as_published is False)
    if strange:
        warnings.warn(
            f"data {data.name!r}: {strange} are not the published files: their checksums differ, though sizes and "
            "labels are in order",
            stacklevel=4,
        )
    return data


def _hint(name: object, data_dir: str | os.PathLike[str] | None) -> str:
    """A hint after an unknown name, or a path."""
    if not isinstance(name, str) or not name or name == PREFIX:
        return suggestion(str(name), DATA)
    path = _folder(name, data_dir)
    if os.path.isdir(path):  # no error of a name that is too long
        return f"; did you mean {PREFIX + name!r}?"
    if os.sep in name:
        return f"; {path} is a file" if os.path.isfile(path) else f"; there is no folder {path}"
    return suggestion(name, DATA)


def _folder(name: str, data_dir: str | os.PathLike[str] | None) -> Path:
    """The folder behind the prefix, below data_dir where it is given."""
    return Path("." if data_dir is None else data_dir) / Path(name.removeprefix(PREFIX)).expanduser()


def _found(known: Published, data_dir: str | os.PathLike[str] | None) -> Dataset:
    files = find_files(known, data_dir)
    if files is None:
        raise FileNotFoundError(missing(known, data_dir))
    return read(known, files)


def read(known: Published, files: Files) -> Dataset:
    """A published data set from its files."""
    classes = len(known.class_names)
    train, test = (known.read(files, part, getattr(known, part), classes) for part in ("train", "test"))
    source = (*train.source, *test.source)
    _check_source(known, files, source)
    images, labels, others, other_labels = map(as_tensor, (*train[:2], *test[:2]))
    mean, std = statistics(images)
    return Dataset(known.name, images, labels, others, other_labels, known.class_names, mean, std, source=source)


def _check_source(known: Published, files: Files, source: tuple[SourceFile, ...]) -> None:
    """Refuse the files of another set, which may have the same names."""
    for file in source:
        for other in PUBLISHED.values():
            if file.as_published is False and file.md5 in other.checksums.values():
                raise ValueError(f"{files.path(file.name)} belongs to {other.name!r}, not to {known.name!r}")
