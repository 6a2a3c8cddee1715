"""Every published row: the exact count of our network, and what is said of it."""

from collections import Counter
from itertools import pairwise

import pytest
import torch
from torch import nn

from nets.naming.grammar import parse
from nets.papers.bottleneck import BOTTLENECKS
from nets.papers.published import ROWS
from nets.papers.tables import judge, prints_as, run

# network, data: parameters. The rows of 2019 are counted with 10 classes; those of ResNets as the tables share.
COUNTS = {
    ("ResNet18-A^{l,i}-B^{l,i}", "MNIST"): 11_172_810,
    ("ResNet18-A^l-B^{l,i}", "MNIST"): 8_039_370,
    ("pre-act ResNet18-A^{l,i}-B^{l,i}", "MNIST"): 11_169_994,
    ("pre-act ResNet18-A^l-B^{l,i}", "MNIST"): 8_036_554,
    ("ResNet18-A^{l,i}-B^{l,i}", "CIFAR10/100"): 11_220_132,
    ("ResNet18-A^l-B^{l,i}", "CIFAR10/100"): 8_086_692,
    ("ResNet18-A^{l,i}-B^l", "CIFAR10/100"): 9_671_844,
    ("ResNet18-A^l-B^l", "CIFAR10/100"): 6_575_268,
    ("pre-act ResNet18-A^{l,i}-B^{l,i}", "CIFAR10/100"): 11_217_316,
    ("pre-act ResNet18-A^l-B^{l,i}", "CIFAR10/100"): 8_083_876,
    ("pre-act ResNet18-A^{l,i}-B^l", "CIFAR10/100"): 9_669_028,
    ("pre-act ResNet18-A^l-B^l", "CIFAR10/100"): 6_572_452,
    ("ResNet34-A^{l,i}-B^{l,i}", "CIFAR10/100"): 21_328_292,
    ("ResNet34-A^l-B^{l,i}", "CIFAR10/100"): 13_144_484,
    ("ResNet34-A^{l,i}-B^l", "CIFAR10/100"): 14_766_500,
    ("ResNet34-A^l-B^l", "CIFAR10/100"): 6_656_420,
    ("pre-act ResNet34-A^{l,i}-B^{l,i}", "CIFAR10/100"): 21_325_476,
    ("pre-act ResNet34-A^l-B^{l,i}", "CIFAR10/100"): 13_141_668,
    ("pre-act ResNet34-A^{l,i}-B^l", "CIFAR10/100"): 14_763_684,
    ("pre-act ResNet34-A^l-B^l", "CIFAR10/100"): 6_653_604,
    ("ResNet18", "CIFAR10"): 11_173_962,
    ("MgNet[2,2,2,2]-[256]-B^{l}", "CIFAR10"): 8_278_794,
    ("ResNet18", "CIFAR100"): 11_220_132,
    ("MgNet[2,2,2,2]-[256]-B^{l}", "CIFAR100"): 8_301_924,
    ("ResNet18", "ImageNet"): 11_689_512,
    ("MgNet[3,4,6,3]-[128,256,512,1024]-B^{l,i}", "ImageNet"): 71_270_504,
    ("MgNet[2,2,2,2]-[512]-B^{l}", "CIFAR100"): 33_118_820,
    ("MgNet[2,2,2,2]-[768]-B^{l}", "CIFAR100"): 74_450_788,
    ("MgNet[2,2,2,2]-[1024]-B^{l}", "CIFAR100"): 132_297_828,
    ("MgNet[2,2,2,2]-[32,64,128,256]-B^{l}", "CIFAR100"): 2_373_124,
    ("MgNet[2,2,2,2]-[64,128,256,512]-B^{l}", "CIFAR100"): 9_427_876,
    ("MgNet[2,2,2,2]-[128,256,512,1024]-B^{l}", "CIFAR100"): 37_582_564,
    ("MgNet[2,2,2,2]-[256,512,1024,2048]-B^{l}", "CIFAR100"): 150_072_676,
    ("MgNet[2,2,2,2]-[64,128,256,512]-B^{l}", "ImageNet"): 9_897_256,
    ("MgNet[2,2,2,2]-[128,256,512,1024]-B^{l}", "ImageNet"): 38_520_424,
    ("MgNet[4,2,2,2]-[256]-B^{l}", "CIFAR100"): 8_303_972,
    ("MgNet[8,2,2,2]-[256]-B^{l}", "CIFAR100"): 8_308_068,
    ("MgNet[16,2,2,2]-[256]-B^{l}", "CIFAR100"): 8_316_260,
    ("MgNet[32,2,2,2]-[256]-B^{l}", "CIFAR100"): 8_332_644,
    ("MgNet[8,2,2,2]-[1024]-B^{l}", "CIFAR100"): 132_322_404,
    ("MgNet[2,2,2,2]-[256]-B^{l,i}", "CIFAR100"): 10_661_220,
    ("MgNet[4,2,2,2]-[256]-B^{l,i}", "CIFAR100"): 11_842_916,
    ("MgNet[8,2,2,2]-[256]-B^{l,i}", "CIFAR100"): 14_206_308,
    ("MgNet[2,2,2,2]-[64,128,256,512]-B^{l,i}", "ImageNet"): 13_030_696,
    ("MgNet[2,2,2,2]-[128,256,512,1024]-B^{l,i}", "ImageNet"): 51_054_184,
    ("ResNet-18", "CIFAR10"): 11_173_962,
    ("ResNet-34", "CIFAR10"): 21_282_122,
    # with the fifth A
    ("MgNet[2,2,2,2]-[(256,256)]-B^l-Pi_0", "CIFAR10"): 7_097_610,
    ("MgNet[2,2,2,2]-[(256,256)]-B^l", "CIFAR10"): 8_868_618,
    ("MgNet[2,2,2,2]-[(256,512)]-B^l", "CIFAR10"): 19_498_506,
    ("MgNet[2,2,2,2]-[(256,512)]-B^l-Pi_2", "CIFAR10"): 17_729_061,
    ("ResNet18-A^{l,i}-B^{l,i}", "ImageNet"): 11_689_512,
    ("ResNet18-A^l-B^{l,i}", "ImageNet"): 8_556_072,
    ("pre-act ResNet18-A^{l,i}-B^{l,i}", "ImageNet"): 11_686_696,
    ("pre-act ResNet18-A^l-B^{l,i}", "ImageNet"): 8_553_256,
    ("pre-act ResNet18", "CIFAR10"): 11_171_146,
    ("pre-act ResNet18", "CIFAR100"): 11_217_316,
    ("MgNet[4,4,4,4,4]-[8]-B^l-Pi_0", "pulse waves"): 3_450,
    ("MgNet[2,2,2,2]-[32,64,128,256]-B^{l,i}", "CIFAR10"): 3_133_354,
    ("MgNet[2,2,2,2]-[32,64,128,256]-B^{l,i}", "CIFAR100"): 3_156_484,
    ("MgNet[2,2,2,2]-[64,128,256,512]-B^l", "ImageNet"): 9_897_256,
    ("AlexNet", "CIFAR10"): 2_472_266,
    ("VGG19", "CIFAR10"): 20_040_522,
    ("pre-act ResNet1001", "CIFAR10"): 10_327_706,
    ("WideResNet28*2", "CIFAR10"): 1_467_610,
    ("AlexNet", "CIFAR100"): 2_495_396,
    ("VGG19", "CIFAR100"): 20_086_692,
    ("pre-act ResNet1001", "CIFAR100"): 10_350_836,
    ("WideResNet40*2", "CIFAR100"): 2_255_156,
    ("AlexNet", "ImageNet"): 60_965_224,
    ("VGG19", "ImageNet"): 143_667_240,
    ("pre-act ResNet200", "ImageNet"): 64_666_280,
    ("WideResNet50*2", "ImageNet"): 68_883_240,
    ("MgNet[4,2,2,2]-[512]-B^{l}", "CIFAR100"): 33_122_916,
    ("MgNet[8,2,2,2]-[512]-B^{l}", "CIFAR100"): 33_131_108,
    ("MgNet[16,2,2,2]-[512]-B^{l}", "CIFAR100"): 33_147_492,
    ("MgNet[2,4,2,2]-[256]-B^{l}", "CIFAR100"): 8_303_972,
    ("MgNet[2,8,2,2]-[256]-B^{l}", "CIFAR100"): 8_308_068,
    ("MgNet[2,16,2,2]-[256]-B^{l}", "CIFAR100"): 8_316_260,
    ("MgNet[2,2,4,2]-[256]-B^{l}", "CIFAR100"): 8_303_972,
    ("MgNet[2,2,8,2]-[256]-B^{l}", "CIFAR100"): 8_308_068,
    ("MgNet[2,2,16,2]-[256]-B^{l}", "CIFAR100"): 8_316_260,
    ("MgNet[2,2,2,4]-[256]-B^{l}", "CIFAR100"): 8_303_972,
    ("MgNet[2,2,2,8]-[256]-B^{l}", "CIFAR100"): 8_308_068,
    ("MgNet[2,2,2,16]-[256]-B^{l}", "CIFAR100"): 8_316_260,
    ("MgNet[2,2,4,2]-[64,128,256,512]-B^{l}", "ImageNet"): 9_899_304,
    ("MgNet[2,2,8,2]-[64,128,256,512]-B^{l}", "ImageNet"): 9_903_400,
    ("MgNet[2,2,16,2]-[64,128,256,512]-B^{l}", "ImageNet"): 9_911_592,
    ("MgNet[2,2,4,2]-[64,128,256,512]-B^{l,i}", "ImageNet"): 14_212_392,
    ("MgNet[2,2,4,2]-[128,256,512,1024]-B^{l}", "ImageNet"): 38_524_520,
    ("MgNet[2,2,4,2]-[128,256,512,1024]-B^{l,i}", "ImageNet"): 55_776_872,
    ("ResNet50", "ImageNet"): 25_557_032,
}
VERDICTS = {"reproduced": 136, "misprinted": 17, "not specified": 12, "not built": 9}
# rows that print a number of parameters, counted in the papers
ROWS_OF = {
    "N23": {"Table 2": 4, "Table 3": 16, "Table 4": 18, "Table 5": 8, "Table 6": 2, "Table 7": 11, "Table 8": 12}
    | {"Table 9": 4, "Table 10": 6, "Table 11": 8},
    "S19": {"Table 2": 6},
    "A19": {"Table 2": 4, "Table 3": 16, "Table 4": 4},
    "L23": {"modified (pre-act) ResNet": 16, "MgNet versus other CNNs": 11, "pregnancy from pulse": 2}
    | {"Hat versus ReLU": 12, "MgNet versus transformers": 14},
}


def test_no_row_is_missing():
    counted = Counter((row.source, row.table) for row in ROWS)
    assert counted == {(source, table): n for source, tables in ROWS_OF.items() for table, n in tables.items()}


@pytest.mark.parametrize("row", [row for row in ROWS if "MgNet[" in row.model])
def test_counts_of_mgnet_by_hand(row):
    """Kernels, two batch norms per sweep, two per transition and one in the stem, and the linear layer."""
    (architecture, sevens) = parse(row.model), row.dataset == "ImageNet"
    nu, c = architecture.nu, architecture.channels_u
    kernels = [1 + n if architecture.extractor == "variable" else 2 for n in nu]
    count = (49 if sevens else 9) * 3 * c[0] + 2 * c[0] + (c[-1] + 1) * row.classes
    count += sum(9 * k * c_l**2 + 4 * n * c_l for k, n, c_l in zip(kernels, nu, c, strict=True))
    count += sum(18 * a * b + 4 * b for a, b in pairwise(c))
    assert judge(row).ours == count


def test_every_row():
    lines = [judge(row) for row in ROWS]
    for line in lines:
        row = line.row
        if row.ours != "-":
            dataset = "CIFAR10" if row.source == "S19" else row.dataset
            assert line.ours == COUNTS[row.ours or row.model, dataset], row
        if line.verdict == "misprinted":
            assert not prints_as(line.ours, row.printed), row
            assert row.remark
    assert Counter(line.verdict for line in lines) == VERDICTS


def test_only_shared_B_needs_the_sharing_of_the_tables():
    needed = {judge(row).row.model for row in ROWS if judge(row).sharing == "tables"}
    assert len(needed) == 8
    assert all(name.endswith("-B^l") for name in needed)


@pytest.mark.parametrize(
    ("count", "printed", "holds"),
    [
        (8_278_794, "8.2M", True),
        (8_278_794, "8.3M", True),
        (8_278_794, "8.4M", False),
        (11_500_000, "12M", True),
        (11_499_999, "12M", False),
        (3_450, "3,450", True),
        (3_451, "3,450", False),
    ],
)
def test_printing_rounds_or_truncates(count, printed, holds):
    assert prints_as(count, printed) is holds


def test_the_command(capsys):
    assert len(run(ROWS[:30])) == 30
    text = capsys.readouterr().out
    assert "11,220,132" in text
    assert 'reproduced, sharing="tables"' in text


def layers(net):
    """The modules of a pre-act bottleneck network, for their parameters alone."""
    c = 64 if net.stem == 7 else net.width
    yield nn.Conv2d(3, c, net.stem, bias=False)
    if net.stem == 7:
        yield nn.BatchNorm2d(c)
    for l, nu in enumerate(net.nu):
        inner, out = net.width * 2**l, 4 * net.width * 2**l
        for i in range(nu):
            for a, b, size in ((c, inner, 1), (inner, inner, 3), (inner, out, 1)):
                yield nn.Conv2d(a, b, size, bias=False)
                yield nn.BatchNorm2d(a)
            if i == 0:
                yield nn.Conv2d(c, out, 1, bias=False)
            c = out
    yield nn.BatchNorm2d(c)
    yield nn.Linear(c, 1000)


@pytest.mark.parametrize(
    ("name", "count"), [("pre-act ResNet200", 64_666_280), ("pre-act ResNet1001", 10_327_706 + 257 * 990)]
)
def test_bottlenecks(name, count):
    """The counts of the literature with 1000 classes, and those of torch's own modules."""
    with torch.device("meta"):
        built = sum(p.numel() for layer in layers(BOTTLENECKS[name]) for p in layer.parameters())
    assert BOTTLENECKS[name].parameters(1000) == built == count


@pytest.mark.parametrize("classes", [10, 100])
def test_pre_act_resnet1001_prints_as_published_without_batch_norm(classes):
    with torch.device("meta"):
        norms = [m for m in layers(BOTTLENECKS["pre-act ResNet1001"]) if isinstance(m, nn.BatchNorm2d)]
    count = BOTTLENECKS["pre-act ResNet1001"].parameters(classes) - 2 * sum(m.num_features for m in norms)
    assert count == {10: 10_178_490, 100: 10_201_620}[classes]
    assert prints_as(count, "10.2M")
