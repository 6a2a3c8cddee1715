"""Every row of the papers' tables that prints a number of parameters, as printed, with its accuracies.

N23 is He, Xu, Zhang, Zhu, Neural Networks 162 (2023); S19 He, Xu, Sci. China Math. 62 (2019); A19 He, Chen, Zhang, Xu,
arXiv 1911.10428; L23 the lecture slides of Xu (2023).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple


class Row(NamedTuple):
    """A published row.

    Attributes:
        source, table, dataset, model, printed: as the source has them.
        classes: outputs of the head with which the number was printed.
        ours: the name of our network where it is not `model`; "-" where we have none.
        unused: parameters of the published network on which its output does not depend, and which ours has not.
        verdict: "misprinted", "not specified" or "not built"; "" where the count of our network decides.
        remark: why.
        accuracies: top-1 in percent on the test set, one per data set that `dataset` names.
    """

    source: str
    table: str
    dataset: str
    model: str
    printed: str
    classes: int
    ours: str = ""
    unused: int = 0
    verdict: str = ""
    remark: str = ""
    accuracies: tuple[float, ...] = ()


NOT_BUILT = {"ours": "-", "verdict": "not built"}
UNSPECIFIED = {"ours": "-", "verdict": "not specified", "remark": "no structure is given"}
FIFTH = "with the A^5 of J = 5, 3 x 3 from c_u to c_f, on which the output does not depend"


def _rows(place: tuple[str, str, str, int], *entries: tuple[Any, ...]) -> Iterator[Row]:
    """Rows of (source, table, data set, classes) from (model, printed, accuracy, ..., further fields)."""
    source, table, dataset, classes = place
    for model, printed, *rest in entries:
        further = rest.pop() if rest and isinstance(rest[-1], dict) else {}
        yield Row(source, table, dataset, model, printed, classes, **further, accuracies=tuple(rest))


def _misprinted(remark: str, ours: str = "") -> dict[str, str]:
    return {"ours": ours, "verdict": "misprinted", "remark": remark}


def _inferred(ours: str, remark: str) -> dict[str, str]:
    return {"ours": ours, "verdict": "not specified", "remark": remark}


INFERRED_WIDTHS = _inferred("MgNet[2,2,2,2]-[32,64,128,256]-B^{l,i}", "widths inferred from the count")

MODIFIED = (
    ("ResNet18-A^{l,i}-B^{l,i}", "11M", 94.22, 76.08),
    ("ResNet18-A^l-B^{l,i}", "8.1M", 94.34, 76.32),
    ("ResNet18-A^{l,i}-B^l", "9.7M", 93.95, 74.23),
    ("ResNet18-A^l-B^l", "6.6M", 93.30, 74.85),
    ("pre-act ResNet18-A^{l,i}-B^{l,i}", "11M", 94.31, 76.33),
    ("pre-act ResNet18-A^l-B^{l,i}", "8.1M", 94.54, 76.43),
    ("pre-act ResNet18-A^{l,i}-B^l", "9.7M", 93.96, 74.45),
    ("pre-act ResNet18-A^l-B^l", "6.6M", 93.63, 74.46),
    ("ResNet34-A^{l,i}-B^{l,i}", "21M", 94.43, 76.31),
    ("ResNet34-A^l-B^{l,i}", "13M", 94.78, 76.44),
    ("ResNet34-A^{l,i}-B^l", "15M", 93.98, 74.48),
    ("ResNet34-A^l-B^l", "6.7M", 93.55, 74.46),
    ("pre-act ResNet34-A^{l,i}-B^{l,i}", "21M", 94.70, 77.38),
    ("pre-act ResNet34-A^l-B^{l,i}", "13M", 94.91, 77.41),
    ("pre-act ResNet34-A^{l,i}-B^l", "15M", 94.08, 75.32),
    ("pre-act ResNet34-A^l-B^l", "6.7M", 94.01, 74.12),
)
"""The ResNets and pre-act ResNets of three tables, with their parameters, and the accuracies of N23 and L23."""

EARLIER = (
    (93.45, 74.45),
    (93.54, 74.46),
    (93.35, 72.78),
    (93.32, 72.56),
    (93.75, 74.33),
    (93.83, 74.51),
    (93.80, 72.67),
    (93.45, 72.81),
    (94.71, 77.20),
    (94.84, 77.24),
    (93.94, 75.31),
    (93.79, 74.79),
    (94.76, 77.25),
    (94.84, 77.40),
    (93.94, 75.36),
    (93.75, 75.82),
)
"""Their accuracies in A19."""

ROWS = (
    *_rows(
        ("N23", "Table 2", "MNIST", 10),
        ("ResNet18-A^{l,i}-B^{l,i}", "11M", 99.49),
        ("ResNet18-A^l-B^{l,i}", "8.0M", 99.61),
        ("pre-act ResNet18-A^{l,i}-B^{l,i}", "11M", 99.63),
        ("pre-act ResNet18-A^l-B^{l,i}", "8.0M", 99.67),
    ),
    *_rows(("N23", "Table 3", "CIFAR10/100", 100), *MODIFIED),
    *_rows(
        ("N23", "Table 4", "CIFAR10", 10),
        ("AlexNet", "2.5M", 76.22),
        ("VGG19", "20.0M", 93.56),
        ("ResNet18", "11.2M", 95.28),
        ("pre-act ResNet1001", "10.2M", 95.08, _misprinted("without batch norms 10,178,490, which prints as 10.2M")),
        ("WideResNet28*2", "36.5M", 95.83, _misprinted("36.5M is WideResNet28*10: 36,479,194")),
        ("MgNet[2,2,2,2]-[256]-B^{l}", "8.2M", 96.00),
    ),
    *_rows(
        ("N23", "Table 4", "CIFAR100", 100),
        ("AlexNet", "2.5M", 43.87),
        ("VGG19", "20.0M", 71.95),
        ("ResNet18", "11.2M", 77.54),
        ("pre-act ResNet1001", "10.2M", 77.29, _misprinted("without batch norms 10,201,620, which prints as 10.2M")),
        ("WideResNet40*2", "36.5M", 79.50, _misprinted("36.5M is WideResNet28*10: 36,536,884")),
        ("MgNet[2,2,2,2]-[256]-B^{l}", "8.3M", 79.94),
    ),
    *_rows(
        ("N23", "Table 4", "ImageNet", 1000),
        ("AlexNet", "60.2M", 63.30, _misprinted("60.2M would be ResNet152: 60,192,808")),
        ("VGG19", "144.0M", 74.50, _misprinted("144M is 143.7M in whole millions")),
        ("ResNet18", "11.2M", 72.12, _misprinted("11.2M is the count on CIFAR")),
        ("pre-act ResNet200", "64.7M", 78.34),
        ("WideResNet50*2", "68.9M", 78.10),
        ("MgNet[3,4,6,3]-[128,256,512,1024]-B^{l,i}", "71.3M", 78.59),
    ),
    *_rows(
        ("N23", "Table 5", "CIFAR100", 100),
        ("MgNet[2,2,2,2]-[256]-B^{l}", "8.3M", 79.94),
        ("MgNet[2,2,2,2]-[512]-B^{l}", "33.1M", 81.35),
        ("MgNet[2,2,2,2]-[768]-B^{l}", "74.4M", 81.74),
        ("MgNet[2,2,2,2]-[1024]-B^{l}", "132.2M", 81.89),
        ("MgNet[2,2,2,2]-[32,64,128,256]-B^{l}", "2.3M", 74.95),
        ("MgNet[2,2,2,2]-[64,128,256,512]-B^{l}", "12.5M", 78.06, _misprinted("12.5M is B^{l,i}: 12,561,316")),
        ("MgNet[2,2,2,2]-[128,256,512,1024]-B^{l}", "37.5M", 80.29),
        ("MgNet[2,2,2,2]-[256,512,1024,2048]-B^{l}", "150.0M", 81.49),
    ),
    *_rows(
        ("N23", "Table 6", "ImageNet", 1000),
        ("MgNet[2,2,2,2]-[64,128,256,512]-B^{l}", "9.9M", 72.32),
        ("MgNet[2,2,2,2]-[128,256,512,1024]-B^{l}", "38.5M", 76.82),
    ),
    *_rows(
        ("N23", "Table 7", "CIFAR100", 100),
        ("MgNet[2,2,2,2]-[256]-B^{l}", "8.3M", 79.94),
        ("MgNet[4,2,2,2]-[256]-B^{l}", "8.3M", 80.25),
        ("MgNet[8,2,2,2]-[256]-B^{l}", "8.3M", 80.32),
        ("MgNet[16,2,2,2]-[256]-B^{l}", "8.3M", 80.42),
        ("MgNet[32,2,2,2]-[256]-B^{l}", "8.3M", 80.89),
        ("MgNet[2,2,2,2]-[512]-B^{l}", "33.1M", 81.35),
        ("MgNet[4,2,2,2]-[512]-B^{l}", "33.1M", 81.53),
        ("MgNet[8,2,2,2]-[512]-B^{l}", "33.1M", 81.83),
        ("MgNet[16,2,2,2]-[512]-B^{l}", "33.1M", 81.97),
        ("MgNet[2,2,2,2]-[1024]-B^{l}", "132.2M", 81.89),
        (
            "MgNet[8,2,2,2]-[1024]-B^{l}",
            "132.2M",
            82.46,
            _misprinted("without the batch norms of the six more sweeps, 132,281,444"),
        ),
    ),
    *_rows(
        ("N23", "Table 8", "CIFAR100", 100),
        ("MgNet[2,2,2,2]-[256]-B^{l}", "8.3M", 79.94),
        ("MgNet[2,4,2,2]-[256]-B^{l}", "8.3M", 79.96),
        ("MgNet[2,8,2,2]-[256]-B^{l}", "8.3M", 79.92),
        ("MgNet[2,16,2,2]-[256]-B^{l}", "8.3M", 79.97),
        ("MgNet[2,2,2,2]-[256]-B^{l}", "8.3M", 79.94),
        ("MgNet[2,2,4,2]-[256]-B^{l}", "8.3M", 79.85),
        ("MgNet[2,2,8,2]-[256]-B^{l}", "8.3M", 79.91),
        ("MgNet[2,2,16,2]-[256]-B^{l}", "8.3M", 79.77),
        ("MgNet[2,2,2,2]-[256]-B^{l}", "8.3M", 79.94),
        ("MgNet[2,2,2,4]-[256]-B^{l}", "8.3M", 79.60),
        ("MgNet[2,2,2,8]-[256]-B^{l}", "8.3M", 79.28),
        ("MgNet[2,2,2,16]-[256]-B^{l}", "8.3M", 79.47),
    ),
    *_rows(
        ("N23", "Table 9", "ImageNet", 1000),
        ("MgNet[2,2,2,2]-[64,128,256,512]-B^{l}", "9.9M", 72.32),
        ("MgNet[2,2,4,2]-[64,128,256,512]-B^{l}", "9.9M", 73.04),
        ("MgNet[2,2,8,2]-[64,128,256,512]-B^{l}", "9.9M", 73.72),
        ("MgNet[2,2,16,2]-[64,128,256,512]-B^{l}", "9.9M", 73.81),
    ),
    *_rows(
        ("N23", "Table 10", "CIFAR100", 100),
        ("MgNet[2,2,2,2]-[256]-B^{l}", "8.3M", 79.94),
        ("MgNet[2,2,2,2]-[256]-B^{l,i}", "10.7M", 80.12),
        ("MgNet[4,2,2,2]-[256]-B^{l}", "8.3M", 80.25),
        ("MgNet[4,2,2,2]-[256]-B^{l,i}", "11.9M", 80.63, _misprinted("printed 8.3 + 6 * 0.6")),
        ("MgNet[8,2,2,2]-[256]-B^{l}", "8.3M", 80.32),
        ("MgNet[8,2,2,2]-[256]-B^{l,i}", "14.3M", 81.42, _misprinted("printed 8.3 + 10 * 0.6")),
    ),
    *_rows(
        ("N23", "Table 11", "ImageNet", 1000),
        ("MgNet[2,2,2,2]-[64,128,256,512]-B^{l}", "9.9M", 72.32),
        ("MgNet[2,2,2,2]-[64,128,256,512]-B^{l,i}", "13.0M", 73.36),
        ("MgNet[2,2,4,2]-[64,128,256,512]-B^{l}", "9.9M", 73.04),
        (
            "MgNet[2,2,4,2]-[64,128,256,512]-B^{l,i}",
            "14.7M",
            74.58,
            _misprinted("two more kernels on grid 3 make 13.0M to 14.2M"),
        ),
        ("MgNet[2,2,2,2]-[128,256,512,1024]-B^{l}", "38.5M", 76.82),
        ("MgNet[2,2,2,2]-[128,256,512,1024]-B^{l,i}", "51.1M", 77.27),
        ("MgNet[2,2,4,2]-[128,256,512,1024]-B^{l}", "38.5M", 77.58),
        ("MgNet[2,2,4,2]-[128,256,512,1024]-B^{l,i}", "55.7M", 77.94),
    ),
    *_rows(
        ("S19", "Table 2", "CIFAR10/100", 10),
        ("ResNet-18", "11.2M", 92.24, 71.96),
        ("ResNet-34", "21.3M", 92.80, 71.93),
        (
            "2,(256,256),Pi_0",
            "7.1M",
            92.02,
            68.29,
            {"ours": "MgNet[2,2,2,2]-[(256,256)]-B^l-Pi_0", "unused": 9 * 256 * 256, "remark": FIFTH},
        ),
        (
            "2,(256,256),Pi_1",
            "8.9M",
            93.04,
            72.32,
            {"ours": "MgNet[2,2,2,2]-[(256,256)]-B^l", "unused": 9 * 256 * 256, "remark": FIFTH},
        ),
        (
            "2,(256,512),Pi_1",
            "19.5M",
            93.20,
            72.42,
            {"ours": "MgNet[2,2,2,2]-[(256,512)]-B^l", "unused": 9 * 256 * 512, "remark": FIFTH},
        ),
        (
            "2,(256,512),Pi_2",
            "17.7M",
            93.53,
            74.26,
            {"ours": "MgNet[2,2,2,2]-[(256,512)]-B^l-Pi_2", "unused": 9 * 256 * 512, "remark": FIFTH},
        ),
    ),
    *_rows(
        ("A19", "Table 2", "MNIST", 10),
        ("ResNet18-A^{l,i}-B^{l,i}", "11M", 99.56),
        ("ResNet18-A^l-B^{l,i}", "8.0M", 99.58),
        ("pre-act ResNet18-A^{l,i}-B^{l,i}", "11M", 99.61),
        ("pre-act ResNet18-A^l-B^{l,i}", "8.0M", 99.64),
    ),
    *_rows(
        ("A19", "Table 3", "CIFAR10/100", 100),
        *(row[:2] + accuracies for row, accuracies in zip(MODIFIED, EARLIER, strict=True)),
    ),
    *_rows(
        ("A19", "Table 4", "ImageNet", 1000),
        ("ResNet18-A^{l,i}-B^{l,i}", "11.7M", 70.23),
        ("ResNet18-A^l-B^{l,i}", "8.6M", 69.45),
        ("pre-act ResNet18-A^{l,i}-B^{l,i}", "11.7M", 70.46),
        ("pre-act ResNet18-A^l-B^{l,i}", "8.6M", 69.78),
    ),
    *_rows(("L23", "modified (pre-act) ResNet", "CIFAR10/100", 100), *MODIFIED),
    *_rows(
        ("L23", "MgNet versus other CNNs", "CIFAR10", 10),
        ("ResNet18", "11.2M", 95.28),
        ("pre-act ResNet18", "10.2M", 95.08, _misprinted("the row is pre-act ResNet1001 of N23 Table 4")),
        ("MgNet[2,2,2,2]-[256]-B^{l}", "8.2M", 96.00),
    ),
    *_rows(
        ("L23", "MgNet versus other CNNs", "CIFAR100", 100),
        ("ResNet18", "11.2M", 77.54),
        ("pre-act ResNet18", "11.2M", 77.29, {"remark": "the accuracy is that of pre-act ResNet1001"}),
        ("MgNet[2,2,2,2]-[256]-B^{l}", "8.3M", 79.94),
        ("MgNet[2,2,2,2]-[512]-B^{l}", "33.1M", 81.35),
        ("MgNet[2,2,2,2]-[1024]-B^{l}", "132.2M", 82.46),
    ),
    *_rows(
        ("L23", "MgNet versus other CNNs", "ImageNet", 1000),
        ("ResNet18", "11.2M", 72.12, _misprinted("11.2M is the count on CIFAR")),
        ("MgNet[2,2,2,2]-[64,128,256,512]-B^{l,i}", "13.0M", 73.36),
        ("MgNet[3,4,6,3]-[128,256,512,1024]-B^{l,i}", "71.3M", 78.59),
    ),
    *_rows(
        ("L23", "pregnancy from pulse", "pulse waves", 2),
        ("ResNet", "232,642", 84.73, UNSPECIFIED),
        (
            "MgNet",
            "3,450",
            84.68,
            _inferred("MgNet[4,4,4,4,4]-[8]-B^l-Pi_0", "inferred from the count; one of several structures that fit"),
        ),
    ),
    *_rows(
        ("L23", "Hat versus ReLU", "CIFAR10", 10),
        ("ResNet (ReLU)", "11.2M", 94.64, {"ours": "ResNet18"}),
        ("MgNet (ReLU)", "3.1M", 94.74, INFERRED_WIDTHS),
        ("ResNet (Hat)", "11.2M", 94.79, {"ours": "ResNet18"}),
        ("MgNet (Hat)", "3.1M", 94.95, INFERRED_WIDTHS),
    ),
    *_rows(
        ("L23", "Hat versus ReLU", "CIFAR100", 100),
        ("ResNet (ReLU)", "11.2M", 76.21, {"ours": "ResNet18"}),
        ("MgNet (ReLU)", "5.7M", 77.07, INFERRED_WIDTHS | {"remark": "no structure of the papers fits 5.7M"}),
        ("ResNet (Hat)", "11.2M", 76.47, {"ours": "ResNet18"}),
        ("MgNet (Hat)", "5.7M", 77.54, INFERRED_WIDTHS | {"remark": "no structure of the papers fits 5.7M"}),
    ),
    *_rows(
        ("L23", "Hat versus ReLU", "ImageNet", 1000),
        ("ResNet (ReLU)", "11.2M", 72.12, _misprinted("11.2M is the count on CIFAR", "ResNet18")),
        ("MgNet (ReLU)", "9.9M", 72.36, INFERRED_WIDTHS | {"ours": "MgNet[2,2,2,2]-[64,128,256,512]-B^l"}),
        ("ResNet (Hat)", "11.2M", 72.46, _misprinted("11.2M is the count on CIFAR", "ResNet18")),
        ("MgNet (Hat)", "9.9M", 72.69, INFERRED_WIDTHS | {"ours": "MgNet[2,2,2,2]-[64,128,256,512]-B^l"}),
    ),
    *_rows(
        ("L23", "MgNet versus transformers", "ImageNet", 1000),
        ("DeiT-Small", "22.1M", 79.80, NOT_BUILT),
        ("PVT-Small", "24.5M", 79.80, NOT_BUILT),
        ("ConvMixer", "21.1M", 80.20, NOT_BUILT),
        ("CrossViT-Small", "26.7M", 81.00, NOT_BUILT),
        ("Swin-Tiny", "28.3M", 81.20, NOT_BUILT),
        ("CvT-13", "20.0M", 81.60, NOT_BUILT),
        ("CoAtNet-0", "25.0M", 81.60, NOT_BUILT),
        ("CaiT-XS-24", "26.6M", 81.80, NOT_BUILT),
        ("ResNet-50", "25.0M", 80.40, _misprinted("25.6M in full", "ResNet50")),
        ("MgNet-small", "26.1M", 81.00, UNSPECIFIED),
        ("MgNet", "39.3M", 82.00, UNSPECIFIED),
        ("CMT-XS", "15.2M", 81.80, NOT_BUILT),
        ("MgNet-CMT-XS", "17.9M", 82.60, UNSPECIFIED),
        ("MgNet-CMT", "30.1M", 83.40, UNSPECIFIED),
    ),
)
