"""Every row of the papers' tables that prints a number of parameters, as printed.

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


NOT_BUILT = {"ours": "-", "verdict": "not built"}
UNSPECIFIED = {"ours": "-", "verdict": "not specified", "remark": "no structure is given"}
FIFTH = "with the A^5 of J = 5, 3 x 3 from c_u to c_f, on which the output does not depend"


def _rows(place: tuple[str, str, str, int], *entries: tuple[Any, ...]) -> Iterator[Row]:
    """Rows of (source, table, data set, classes) from (model, printed) or (model, printed, further fields)."""
    source, table, dataset, classes = place
    for model, printed, *further in entries:
        yield Row(source, table, dataset, model, printed, classes, **(further[0] if further else {}))


def _misprinted(remark: str, ours: str = "") -> dict[str, str]:
    return {"ours": ours, "verdict": "misprinted", "remark": remark}


def _inferred(ours: str, remark: str) -> dict[str, str]:
    return {"ours": ours, "verdict": "not specified", "remark": remark}


ROWS = (
    *_rows(
        ("N23", "Table 2", "MNIST", 10),
        ("ResNet18-A^{l,i}-B^{l,i}", "11M"),
        ("ResNet18-A^l-B^{l,i}", "8.0M"),
        ("pre-act ResNet18-A^{l,i}-B^{l,i}", "11M"),
        ("pre-act ResNet18-A^l-B^{l,i}", "8.0M"),
    ),
    *_rows(
        ("N23", "Table 3", "CIFAR10/100", 100),
        ("ResNet18-A^{l,i}-B^{l,i}", "11M"),
        ("ResNet18-A^l-B^{l,i}", "8.1M"),
        ("ResNet18-A^{l,i}-B^l", "9.7M"),
        ("ResNet18-A^l-B^l", "6.6M"),
        ("pre-act ResNet18-A^{l,i}-B^{l,i}", "11M"),
        ("pre-act ResNet18-A^l-B^{l,i}", "8.1M"),
        ("pre-act ResNet18-A^{l,i}-B^l", "9.7M"),
        ("pre-act ResNet18-A^l-B^l", "6.6M"),
        ("ResNet34-A^{l,i}-B^{l,i}", "21M"),
        ("ResNet34-A^l-B^{l,i}", "13M"),
        ("ResNet34-A^{l,i}-B^l", "15M"),
        ("ResNet34-A^l-B^l", "6.7M"),
        ("pre-act ResNet34-A^{l,i}-B^{l,i}", "21M"),
        ("pre-act ResNet34-A^l-B^{l,i}", "13M"),
        ("pre-act ResNet34-A^{l,i}-B^l", "15M"),
        ("pre-act ResNet34-A^l-B^l", "6.7M"),
    ),
    *_rows(
        ("N23", "Table 4", "CIFAR10", 10),
        ("AlexNet", "2.5M"),
        ("VGG19", "20.0M"),
        ("ResNet18", "11.2M"),
        ("pre-act ResNet1001", "10.2M", _misprinted("without batch norms 10,178,490, which prints as 10.2M")),
        ("WideResNet28*2", "36.5M", _misprinted("36.5M is WideResNet28*10: 36,479,194")),
        ("MgNet[2,2,2,2]-[256]-B^{l}", "8.2M"),
    ),
    *_rows(
        ("N23", "Table 4", "CIFAR100", 100),
        ("AlexNet", "2.5M"),
        ("VGG19", "20.0M"),
        ("ResNet18", "11.2M"),
        ("pre-act ResNet1001", "10.2M", _misprinted("without batch norms 10,201,620, which prints as 10.2M")),
        ("WideResNet40*2", "36.5M", _misprinted("36.5M is WideResNet28*10: 36,536,884")),
        ("MgNet[2,2,2,2]-[256]-B^{l}", "8.3M"),
    ),
    *_rows(
        ("N23", "Table 4", "ImageNet", 1000),
        ("AlexNet", "60.2M", _misprinted("60.2M would be ResNet152: 60,192,808")),
        ("VGG19", "144.0M", _misprinted("144M is 143.7M in whole millions")),
        ("ResNet18", "11.2M", _misprinted("11.2M is the count on CIFAR")),
        ("pre-act ResNet200", "64.7M"),
        ("WideResNet50*2", "68.9M"),
        ("MgNet[3,4,6,3]-[128,256,512,1024]-B^{l,i}", "71.3M"),
    ),
    *_rows(
        ("N23", "Table 5", "CIFAR100", 100),
        ("MgNet[2,2,2,2]-[256]-B^{l}", "8.3M"),
        ("MgNet[2,2,2,2]-[512]-B^{l}", "33.1M"),
        ("MgNet[2,2,2,2]-[768]-B^{l}", "74.4M"),
        ("MgNet[2,2,2,2]-[1024]-B^{l}", "132.2M"),
        ("MgNet[2,2,2,2]-[32,64,128,256]-B^{l}", "2.3M"),
        ("MgNet[2,2,2,2]-[64,128,256,512]-B^{l}", "12.5M", _misprinted("12.5M is B^{l,i}: 12,561,316")),
        ("MgNet[2,2,2,2]-[128,256,512,1024]-B^{l}", "37.5M"),
        ("MgNet[2,2,2,2]-[256,512,1024,2048]-B^{l}", "150.0M"),
    ),
    *_rows(
        ("N23", "Table 6", "ImageNet", 1000),
        ("MgNet[2,2,2,2]-[64,128,256,512]-B^{l}", "9.9M"),
        ("MgNet[2,2,2,2]-[128,256,512,1024]-B^{l}", "38.5M"),
    ),
    *_rows(
        ("N23", "Table 7", "CIFAR100", 100),
        ("MgNet[2,2,2,2]-[256]-B^{l}", "8.3M"),
        ("MgNet[4,2,2,2]-[256]-B^{l}", "8.3M"),
        ("MgNet[8,2,2,2]-[256]-B^{l}", "8.3M"),
        ("MgNet[16,2,2,2]-[256]-B^{l}", "8.3M"),
        ("MgNet[32,2,2,2]-[256]-B^{l}", "8.3M"),
        ("MgNet[2,2,2,2]-[512]-B^{l}", "33.1M"),
        ("MgNet[4,2,2,2]-[512]-B^{l}", "33.1M"),
        ("MgNet[8,2,2,2]-[512]-B^{l}", "33.1M"),
        ("MgNet[16,2,2,2]-[512]-B^{l}", "33.1M"),
        ("MgNet[2,2,2,2]-[1024]-B^{l}", "132.2M"),
        (
            "MgNet[8,2,2,2]-[1024]-B^{l}",
            "132.2M",
            _misprinted("without the batch norms of the six more sweeps, 132,281,444"),
        ),
    ),
    *_rows(
        ("N23", "Table 8", "CIFAR100", 100),
        ("MgNet[2,2,2,2]-[256]-B^{l}", "8.3M"),
        ("MgNet[2,4,2,2]-[256]-B^{l}", "8.3M"),
        ("MgNet[2,8,2,2]-[256]-B^{l}", "8.3M"),
        ("MgNet[2,16,2,2]-[256]-B^{l}", "8.3M"),
        ("MgNet[2,2,2,2]-[256]-B^{l}", "8.3M"),
        ("MgNet[2,2,4,2]-[256]-B^{l}", "8.3M"),
        ("MgNet[2,2,8,2]-[256]-B^{l}", "8.3M"),
        ("MgNet[2,2,16,2]-[256]-B^{l}", "8.3M"),
        ("MgNet[2,2,2,2]-[256]-B^{l}", "8.3M"),
        ("MgNet[2,2,2,4]-[256]-B^{l}", "8.3M"),
        ("MgNet[2,2,2,8]-[256]-B^{l}", "8.3M"),
        ("MgNet[2,2,2,16]-[256]-B^{l}", "8.3M"),
    ),
    *_rows(
        ("N23", "Table 9", "ImageNet", 1000),
        ("MgNet[2,2,2,2]-[64,128,256,512]-B^{l}", "9.9M"),
        ("MgNet[2,2,4,2]-[64,128,256,512]-B^{l}", "9.9M"),
        ("MgNet[2,2,8,2]-[64,128,256,512]-B^{l}", "9.9M"),
        ("MgNet[2,2,16,2]-[64,128,256,512]-B^{l}", "9.9M"),
    ),
    *_rows(
        ("N23", "Table 10", "CIFAR100", 100),
        ("MgNet[2,2,2,2]-[256]-B^{l}", "8.3M"),
        ("MgNet[2,2,2,2]-[256]-B^{l,i}", "10.7M"),
        ("MgNet[4,2,2,2]-[256]-B^{l}", "8.3M"),
        ("MgNet[4,2,2,2]-[256]-B^{l,i}", "11.9M", _misprinted("printed 8.3 + 6 * 0.6")),
        ("MgNet[8,2,2,2]-[256]-B^{l}", "8.3M"),
        ("MgNet[8,2,2,2]-[256]-B^{l,i}", "14.3M", _misprinted("printed 8.3 + 10 * 0.6")),
    ),
    *_rows(
        ("N23", "Table 11", "ImageNet", 1000),
        ("MgNet[2,2,2,2]-[64,128,256,512]-B^{l}", "9.9M"),
        ("MgNet[2,2,2,2]-[64,128,256,512]-B^{l,i}", "13.0M"),
        ("MgNet[2,2,4,2]-[64,128,256,512]-B^{l}", "9.9M"),
        (
            "MgNet[2,2,4,2]-[64,128,256,512]-B^{l,i}",
            "14.7M",
            _misprinted("two more kernels on grid 3 make 13.0M to 14.2M"),
        ),
        ("MgNet[2,2,2,2]-[128,256,512,1024]-B^{l}", "38.5M"),
        ("MgNet[2,2,2,2]-[128,256,512,1024]-B^{l,i}", "51.1M"),
        ("MgNet[2,2,4,2]-[128,256,512,1024]-B^{l}", "38.5M"),
        ("MgNet[2,2,4,2]-[128,256,512,1024]-B^{l,i}", "55.7M"),
    ),
    *_rows(
        ("S19", "Table 2", "CIFAR10/100", 10),
        ("ResNet-18", "11.2M"),
        ("ResNet-34", "21.3M"),
        (
            "2,(256,256),Pi_0",
            "7.1M",
            {"ours": "MgNet[2,2,2,2]-[(256,256)]-B^l-Pi_0", "unused": 9 * 256 * 256, "remark": FIFTH},
        ),
        (
            "2,(256,256),Pi_1",
            "8.9M",
            {"ours": "MgNet[2,2,2,2]-[(256,256)]-B^l", "unused": 9 * 256 * 256, "remark": FIFTH},
        ),
        (
            "2,(256,512),Pi_1",
            "19.5M",
            {"ours": "MgNet[2,2,2,2]-[(256,512)]-B^l", "unused": 9 * 256 * 512, "remark": FIFTH},
        ),
        (
            "2,(256,512),Pi_2",
            "17.7M",
            {"ours": "MgNet[2,2,2,2]-[(256,512)]-B^l-Pi_2", "unused": 9 * 256 * 512, "remark": FIFTH},
        ),
    ),
    *_rows(
        ("A19", "Table 2", "MNIST", 10),
        ("ResNet18-A^{l,i}-B^{l,i}", "11M"),
        ("ResNet18-A^l-B^{l,i}", "8.0M"),
        ("pre-act ResNet18-A^{l,i}-B^{l,i}", "11M"),
        ("pre-act ResNet18-A^l-B^{l,i}", "8.0M"),
    ),
    *_rows(
        ("A19", "Table 3", "CIFAR10/100", 100),
        ("ResNet18-A^{l,i}-B^{l,i}", "11M"),
        ("ResNet18-A^l-B^{l,i}", "8.1M"),
        ("ResNet18-A^{l,i}-B^l", "9.7M"),
        ("ResNet18-A^l-B^l", "6.6M"),
        ("pre-act ResNet18-A^{l,i}-B^{l,i}", "11M"),
        ("pre-act ResNet18-A^l-B^{l,i}", "8.1M"),
        ("pre-act ResNet18-A^{l,i}-B^l", "9.7M"),
        ("pre-act ResNet18-A^l-B^l", "6.6M"),
        ("ResNet34-A^{l,i}-B^{l,i}", "21M"),
        ("ResNet34-A^l-B^{l,i}", "13M"),
        ("ResNet34-A^{l,i}-B^l", "15M"),
        ("ResNet34-A^l-B^l", "6.7M"),
        ("pre-act ResNet34-A^{l,i}-B^{l,i}", "21M"),
        ("pre-act ResNet34-A^l-B^{l,i}", "13M"),
        ("pre-act ResNet34-A^{l,i}-B^l", "15M"),
        ("pre-act ResNet34-A^l-B^l", "6.7M"),
    ),
    *_rows(
        ("A19", "Table 4", "ImageNet", 1000),
        ("ResNet18-A^{l,i}-B^{l,i}", "11.7M"),
        ("ResNet18-A^l-B^{l,i}", "8.6M"),
        ("pre-act ResNet18-A^{l,i}-B^{l,i}", "11.7M"),
        ("pre-act ResNet18-A^l-B^{l,i}", "8.6M"),
    ),
    *_rows(
        ("L23", "modified (pre-act) ResNet", "CIFAR10/100", 100),
        ("ResNet18-A^{l,i}-B^{l,i}", "11M"),
        ("ResNet18-A^l-B^{l,i}", "8.1M"),
        ("ResNet18-A^{l,i}-B^l", "9.7M"),
        ("ResNet18-A^l-B^l", "6.6M"),
        ("pre-act ResNet18-A^{l,i}-B^{l,i}", "11M"),
        ("pre-act ResNet18-A^l-B^{l,i}", "8.1M"),
        ("pre-act ResNet18-A^{l,i}-B^l", "9.7M"),
        ("pre-act ResNet18-A^l-B^l", "6.6M"),
        ("ResNet34-A^{l,i}-B^{l,i}", "21M"),
        ("ResNet34-A^l-B^{l,i}", "13M"),
        ("ResNet34-A^{l,i}-B^l", "15M"),
        ("ResNet34-A^l-B^l", "6.7M"),
        ("pre-act ResNet34-A^{l,i}-B^{l,i}", "21M"),
        ("pre-act ResNet34-A^l-B^{l,i}", "13M"),
        ("pre-act ResNet34-A^{l,i}-B^l", "15M"),
        ("pre-act ResNet34-A^l-B^l", "6.7M"),
    ),
    *_rows(
        ("L23", "MgNet versus other CNNs", "CIFAR10", 10),
        ("ResNet18", "11.2M"),
        ("pre-act ResNet18", "10.2M", _misprinted("the row is pre-act ResNet1001 of N23 Table 4")),
        ("MgNet[2,2,2,2]-[256]-B^{l}", "8.2M"),
    ),
    *_rows(
        ("L23", "MgNet versus other CNNs", "CIFAR100", 100),
        ("ResNet18", "11.2M"),
        ("pre-act ResNet18", "11.2M", {"remark": "the accuracy is that of pre-act ResNet1001"}),
        ("MgNet[2,2,2,2]-[256]-B^{l}", "8.3M"),
        ("MgNet[2,2,2,2]-[512]-B^{l}", "33.1M"),
        ("MgNet[2,2,2,2]-[1024]-B^{l}", "132.2M"),
    ),
    *_rows(
        ("L23", "MgNet versus other CNNs", "ImageNet", 1000),
        ("ResNet18", "11.2M", _misprinted("11.2M is the count on CIFAR")),
        ("MgNet[2,2,2,2]-[64,128,256,512]-B^{l,i}", "13.0M"),
        ("MgNet[3,4,6,3]-[128,256,512,1024]-B^{l,i}", "71.3M"),
    ),
    *_rows(
        ("L23", "pregnancy from pulse", "pulse waves", 2),
        ("ResNet", "232,642", UNSPECIFIED),
        (
            "MgNet",
            "3,450",
            _inferred("MgNet[4,4,4,4,4]-[8]-B^l-Pi_0", "inferred from the count; one of several structures that fit"),
        ),
    ),
    *_rows(
        ("L23", "Hat versus ReLU", "CIFAR10", 10),
        ("ResNet (ReLU)", "11.2M", {"ours": "ResNet18"}),
        ("MgNet (ReLU)", "3.1M", _inferred("MgNet[2,2,2,2]-[32,64,128,256]-B^{l,i}", "widths inferred from the count")),
        ("ResNet (Hat)", "11.2M", {"ours": "ResNet18"}),
        ("MgNet (Hat)", "3.1M", _inferred("MgNet[2,2,2,2]-[32,64,128,256]-B^{l,i}", "widths inferred from the count")),
    ),
    *_rows(
        ("L23", "Hat versus ReLU", "CIFAR100", 100),
        ("ResNet (ReLU)", "11.2M", {"ours": "ResNet18"}),
        (
            "MgNet (ReLU)",
            "5.7M",
            _inferred("MgNet[2,2,2,2]-[32,64,128,256]-B^{l,i}", "no structure of the papers fits 5.7M"),
        ),
        ("ResNet (Hat)", "11.2M", {"ours": "ResNet18"}),
        (
            "MgNet (Hat)",
            "5.7M",
            _inferred("MgNet[2,2,2,2]-[32,64,128,256]-B^{l,i}", "no structure of the papers fits 5.7M"),
        ),
    ),
    *_rows(
        ("L23", "Hat versus ReLU", "ImageNet", 1000),
        ("ResNet (ReLU)", "11.2M", _misprinted("11.2M is the count on CIFAR", "ResNet18")),
        ("MgNet (ReLU)", "9.9M", _inferred("MgNet[2,2,2,2]-[64,128,256,512]-B^l", "widths inferred from the count")),
        ("ResNet (Hat)", "11.2M", _misprinted("11.2M is the count on CIFAR", "ResNet18")),
        ("MgNet (Hat)", "9.9M", _inferred("MgNet[2,2,2,2]-[64,128,256,512]-B^l", "widths inferred from the count")),
    ),
    *_rows(
        ("L23", "MgNet versus transformers", "ImageNet", 1000),
        ("DeiT-Small", "22.1M", NOT_BUILT),
        ("PVT-Small", "24.5M", NOT_BUILT),
        ("ConvMixer", "21.1M", NOT_BUILT),
        ("CrossViT-Small", "26.7M", NOT_BUILT),
        ("Swin-Tiny", "28.3M", NOT_BUILT),
        ("CvT-13", "20.0M", NOT_BUILT),
        ("CoAtNet-0", "25.0M", NOT_BUILT),
        ("CaiT-XS-24", "26.6M", NOT_BUILT),
        ("ResNet-50", "25.0M", _misprinted("25.6M in full", "ResNet50")),
        ("MgNet-small", "26.1M", UNSPECIFIED),
        ("MgNet", "39.3M", UNSPECIFIED),
        ("CMT-XS", "15.2M", NOT_BUILT),
        ("MgNet-CMT-XS", "17.9M", UNSPECIFIED),
        ("MgNet-CMT", "30.1M", UNSPECIFIED),
    ),
)
