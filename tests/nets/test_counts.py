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
