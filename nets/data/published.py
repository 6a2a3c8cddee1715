"""The published data sets: their files, sizes, checksums, classes, and where they come from.

Checksums of MNIST, Fashion-MNIST and of the CIFAR archives are those of their publishers. Those of single files are of
the content that such a verified file holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nets.data.cifar import read_cifar_part
from nets.data.files import Files
from nets.data.idx import read_idx_part
from nets.data.part import Part


@dataclass(frozen=True)
class Download:
    """A file as it is published: its name, bytes and MD5."""

    name: str
    bytes: int
    md5: str


@dataclass(frozen=True, kw_only=True)
class Published:
    """A published set of `train` and `test` images.

    Args:
        read: (files, part, images, classes) -> Part.
        checksums: of the content of single files, uncompressed.
        downloads: what to fetch, from any of `mirrors`.
        archives: other archives that can be read.
        folders: where other software keeps the files, below a folder of data sets.
    """

    name: str
    title: str
    class_names: tuple[str, ...]
    train: int
    test: int
    read: Callable[[Files, str, int, int], Part]
    page: str
    licence: str
    mirrors: tuple[str, ...]
    downloads: tuple[Download, ...]
    checksums: Mapping[str, str] = field(repr=False)
    archives: tuple[Download, ...] = ()
    folders: tuple[str, ...] = ()


DIGITS = tuple(map(str, range(10)))
CLOTHES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
OBJECTS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
HUNDRED = """apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy
porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel
streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale
willow_tree wolf woman worm"""
TORONTO = ("https://www.cs.toronto.edu/~kriz/",)

MNIST = Published(
    name="mnist",
    title="MNIST, handwritten digits (LeCun, Cortes, Burges)",
    class_names=DIGITS,
    train=60000,
    test=10000,
    read=read_idx_part,
    page="http://yann.lecun.com/exdb/mnist/",
    licence="usually given as CC BY-SA 3.0",
    mirrors=("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
    downloads=(
        Download("train-images-idx3-ubyte.gz", 9912422, "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        Download("train-labels-idx1-ubyte.gz", 28881, "d53e105ee54ea40749a09fcbcd1e9432"),
        Download("t10k-images-idx3-ubyte.gz", 1648877, "9fb629c4189551a2d022fa330f9573f3"),
        Download("t10k-labels-idx1-ubyte.gz", 4542, "ec29112dd5afa0611ce80d1b7f02629c"),
    ),
    checksums={
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    folders=("MNIST/raw",),
)

FASHION_MNIST = Published(
    name="fashion-mnist",
    title="Fashion-MNIST, pictures of clothes (Xiao, Rasul, Vollgraf; Zalando)",
    class_names=CLOTHES,
    train=60000,
    test=10000,
    read=read_idx_part,
    page="https://github.com/zalandoresearch/fashion-mnist",
    licence="MIT",
    mirrors=("https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",),
    downloads=(
        Download("train-images-idx3-ubyte.gz", 26421880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        Download("train-labels-idx1-ubyte.gz", 29515, "25c81989df183df01b3e8a0aad5dffbe"),
        Download("t10k-images-idx3-ubyte.gz", 4422102, "bef4ecab320f06d8554ea6380940ec79"),
        Download("t10k-labels-idx1-ubyte.gz", 5148, "bb300cfdad3c16e7a12a480ee83cd310"),
    ),
    checksums={
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
    folders=("FashionMNIST/raw",),
)

CIFAR10 = Published(
    name="cifar-10",
    title="CIFAR-10, small photographs in 10 classes (Krizhevsky, Nair, Hinton)",
    class_names=OBJECTS,
    train=50000,
    test=10000,
    read=read_cifar_part,
    page="https://www.cs.toronto.edu/~kriz/cifar.html",
    licence="none stated; cite Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
    mirrors=TORONTO,
    downloads=(Download("cifar-10-binary.tar.gz", 170052171, "c32a1d4ab5d03f1284b67883e8d87530"),),
    archives=(Download("cifar-10-python.tar.gz", 170498071, "c58f30108f718f92721af3b95e74349a"),),
    checksums={
        "data_batch_1.bin": "aadd24acce27caa71bf4b10992e9e7b2d74c2540",
        "data_batch_2.bin": "c0ba65cce70568cd57b4e03e9ac8d2a5367c1795",
        "data_batch_3.bin": "1dd00a74ab1d17a6e7d73e185b69dbf31242f295",
        "data_batch_4.bin": "aab85764eb3584312d3c7f65fd2fd016e36a258e",
        "data_batch_5.bin": "26e2849e66a845b7f1e4614ae70f4889ae604628",
        "test_batch.bin": "67eb016db431130d61cd03c7ad570b013799c88c",
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    },
    folders=("cifar-10-batches-bin", "cifar-10-batches-py"),
)

CIFAR100 = Published(
    name="cifar-100",
    title="CIFAR-100, small photographs in 100 classes (Krizhevsky, Nair, Hinton)",
    class_names=tuple(HUNDRED.split()),
    train=50000,
    test=10000,
    read=read_cifar_part,
    page="https://www.cs.toronto.edu/~kriz/cifar.html",
    licence="none stated; cite Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
    mirrors=TORONTO,
    downloads=(Download("cifar-100-binary.tar.gz", 168513733, "03b5dce01913d631647c71ecec9e9cb8"),),
    archives=(Download("cifar-100-python.tar.gz", 169001437, "eb9058c3a382ffc7106e4002c42a8d85"),),
    checksums={
        "train.bin": "e207cd2e05b73b1393c74c7f5e7bea451d63e08e",
        "test.bin": "8fb6623e830365ff53cf14adec797474f5478006",
        "train": "16019d7e3df5f24257cddd939b257f8d",
        "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    },
    folders=("cifar-100-binary", "cifar-100-python"),
)

PUBLISHED = {known.name: known for known in (MNIST, FASHION_MNIST, CIFAR10, CIFAR100)}
