"""Parameter counts of the papers' tables, and multiply-adds."""

import pytest
import torch

import nets

# name, input, classes, parameters. The published tables print them in millions.
COUNTS = [
    ("MgNet[2,2,2,2]-[256]-B^l", "cifar", 10, 8_278_794),
    ("MgNet[2,2,2,2]-[256]-B^l", "cifar", 100, 8_301_924),
    ("MgNet[4,2,2,2]-[256]-B^l", "cifar", 100, 8_303_972),
    ("MgNet[8,2,2,2]-[256]-B^l", "cifar", 100, 8_308_068),
    ("MgNet[16,2,2,2]-[256]-B^l", "cifar", 100, 8_316_260),
    ("MgNet[32,2,2,2]-[256]-B^l", "cifar", 100, 8_332_644),
    ("MgNet[2,2,2,2]-[256]-B^{l,i}", "cifar", 100, 10_661_220),
    ("MgNet[4,2,2,2]-[256]-B^{l,i}", "cifar", 100, 11_842_916),
    ("MgNet[8,2,2,2]-[256]-B^{l,i}", "cifar", 100, 14_206_308),
    ("MgNet[2,2,2,2]-[512]-B^l", "cifar", 100, 33_118_820),
    ("MgNet[2,2,2,2]-[768]-B^l", "cifar", 100, 74_450_788),
    ("MgNet[2,2,2,2]-[1024]-B^l", "cifar", 100, 132_297_828),
    ("MgNet[8,2,2,2]-[1024]-B^l", "cifar", 100, 132_322_404),
    ("MgNet[2,2,2,2]-[32,64,128,256]-B^l", "cifar", 100, 2_373_124),
    ("MgNet[2,2,2,2]-[64,128,256,512]-B^l", "cifar", 100, 9_427_876),
    ("MgNet[2,2,2,2]-[64,128,256,512]-B^{l,i}", "cifar", 100, 12_561_316),
    ("MgNet[2,2,2,2]-[128,256,512,1024]-B^l", "cifar", 100, 37_582_564),
    ("MgNet[2,2,2,2]-[256,512,1024,2048]-B^l", "cifar", 100, 150_072_676),
    ("MgNet[2,2,2,2]-[64,128,256,512]-B^{l}", "imagenet", 1000, 9_897_256),
    ("MgNet[2,2,2,2]-[64,128,256,512]-B^{l,i}", "imagenet", 1000, 13_030_696),
    ("MgNet[2,2,2,2]-[128,256,512,1024]-B^{l}", "imagenet", 1000, 38_520_424),
    ("MgNet[2,2,2,2]-[128,256,512,1024]-B^{l,i}", "imagenet", 1000, 51_054_184),
    ("MgNet[2,2,4,2]-[64,128,256,512]-B^{l,i}", "imagenet", 1000, 14_212_392),
    ("MgNet[3,4,6,3]-[128,256,512,1024]-B^{l,i}", "imagenet", 1000, 71_270_504),
]


def on_meta(name, **settings):
    """Without storage: the largest networks of the tables have 600 MB of weights."""
    with torch.device("meta"):
        return nets.create_model(name, **settings)


@pytest.mark.parametrize(("name", "input", "classes", "count"), COUNTS)
def test_parameters(name, input, classes, count):
    assert nets.parameters(on_meta(name, input=input, num_classes=classes)) == count


# name, input, input channels, classes, parameters by literal sharing, and as the tables print them
RESNETS = [
    ("ResNet18-A^{l,i}-B^{l,i}", "cifar", 1, 10, 11_172_810, 11_172_810),
    ("ResNet18-A^l-B^{l,i}", "cifar", 1, 10, 8_039_370, 8_039_370),
    ("pre-act ResNet18-A^{l,i}-B^{l,i}", "cifar", 1, 10, 11_169_994, 11_169_994),
    ("pre-act ResNet18-A^l-B^{l,i}", "cifar", 1, 10, 8_036_554, 8_036_554),
    ("ResNet18-A^{l,i}-B^{l,i}", "cifar", 3, 100, 11_220_132, 11_220_132),
    ("ResNet18-A^l-B^{l,i}", "cifar", 3, 100, 8_086_692, 8_086_692),
    ("ResNet18-A^{l,i}-B^l", "cifar", 3, 100, 11_183_268, 9_671_844),
    ("ResNet18-A^l-B^l", "cifar", 3, 100, 8_049_828, 6_575_268),
    ("pre-act ResNet18-A^{l,i}-B^{l,i}", "cifar", 3, 100, 11_217_316, 11_217_316),
    ("pre-act ResNet18-A^l-B^{l,i}", "cifar", 3, 100, 8_083_876, 8_083_876),
    ("pre-act ResNet18-A^{l,i}-B^l", "cifar", 3, 100, 11_180_452, 9_669_028),
    ("pre-act ResNet18-A^l-B^l", "cifar", 3, 100, 8_047_012, 6_572_452),
    ("ResNet34-A^{l,i}-B^{l,i}", "cifar", 3, 100, 21_328_292, 21_328_292),
    ("ResNet34-A^l-B^{l,i}", "cifar", 3, 100, 13_144_484, 13_144_484),
    ("ResNet34-A^{l,i}-B^l", "cifar", 3, 100, 16_241_060, 14_766_500),
    ("ResNet34-A^l-B^l", "cifar", 3, 100, 8_057_252, 6_656_420),
    ("pre-act ResNet34-A^{l,i}-B^{l,i}", "cifar", 3, 100, 21_325_476, 21_325_476),
    ("pre-act ResNet34-A^l-B^{l,i}", "cifar", 3, 100, 13_141_668, 13_141_668),
    ("pre-act ResNet34-A^{l,i}-B^l", "cifar", 3, 100, 16_238_244, 14_763_684),
    ("pre-act ResNet34-A^l-B^l", "cifar", 3, 100, 8_054_436, 6_653_604),
    ("ResNet18-A^{l,i}-B^{l,i}", "imagenet", 3, 1000, 11_689_512, 11_689_512),
    ("ResNet18-A^l-B^{l,i}", "imagenet", 3, 1000, 8_556_072, 8_556_072),
    ("pre-act ResNet18-A^{l,i}-B^{l,i}", "imagenet", 3, 1000, 11_686_696, 11_686_696),
    ("pre-act ResNet18-A^l-B^{l,i}", "imagenet", 3, 1000, 8_553_256, 8_553_256),
]


@pytest.mark.parametrize(("name", "input", "channels", "classes", "literal", "tables"), RESNETS)
def test_parameters_of_resnets(name, input, channels, classes, literal, tables):
    settings = {"input": input, "in_channels": channels, "num_classes": classes}
    assert nets.parameters(on_meta(name, **settings)) == literal
    assert nets.parameters(on_meta(name, **settings, sharing="tables")) == tables


@pytest.mark.parametrize(("name", "classes", "count"), [("ResNet-18", 10, 11_173_962), ("ResNet-34", 10, 21_282_122)])
def test_parameters_of_plain_resnets(name, classes, count):
    assert nets.parameters(on_meta(name, num_classes=classes)) == count


@pytest.mark.parametrize(
    ("pi", "c_f", "count"),
    [("-Pi_0", 256, 6_507_786), ("", 256, 8_278_794), ("", 512, 18_318_858), ("-Pi_2", 512, 16_549_413)],
)
def test_parameters_of_the_2019_rows(pi, c_f, count):
    """Literal counts of 256 feature and 256 or 512 data channels, four grids."""
    assert nets.parameters(on_meta(f"MgNet[2,2,2,2]-[(256,{c_f})]-B^l{pi}")) == count


@pytest.mark.parametrize(("form", "count"), [("residual", 3_602_647_552), ("feature", 4_602_989_056)])
def test_multiply_adds(form, count):
    """The 2,560 of the linear layer are in both."""
    assert nets.multiply_adds(on_meta("MgNet[2,2,2,2]-[256]-B^l", form=form), (3, 32, 32)) == count


def test_multiply_adds_of_transfers():
    """R and Pi of one shared kernel: 9 per channel and pixel; the last A d of the coarsest grid does not run."""
    model = nets.create_model("MgNet[1,1]-[2]-B^l", in_channels=1, num_classes=3, transfers="bilinear")
    stem, conv = 9 * 2, 9 * 2 * 2
    assert nets.multiply_adds(model, (1, 8, 8)) == 64 * (stem + 2 * conv) + 16 * (2 * 9 * 2 + conv) + 2 * 3
    assert model.training
    assert int(model.stem.norm.num_batches_tracked) == 0
