"""Padding (3.9) of every network: the formula, the way down and up, names and files, sizes that are too small."""

from __future__ import annotations

import copy
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

import nets
from nets.__main__ import main
from nets.models.operators import (
    Interpolation,
    SharedKernel,
    convolution,
    feature_map,
    prolongation,
    prolonged,
    restriction,
)
from nets.naming import lookup
from tests.nets.families import FAMILIES, create
from tests.nets.networks import CONVOLUTIONS, EPS

PADDINGS = ("zeros", "reflect", "circular")
OTHERS = PADDINGS[1:]
NUMPY = {"zeros": "constant", "reflect": "reflect", "circular": "wrap"}  # what NumPy calls them
every_family = pytest.mark.parametrize("family", FAMILIES)


def random(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def windows(x, padding, stride, reach=1):
    """For every offset p, q, ... of a kernel: the values of x there, by (3.9)."""
    dims = x.ndim - 2
    padded = np.pad(x.numpy(), [(0, 0)] * 2 + [(reach, reach)] * dims, NUMPY[padding])
    for offset in product(range(2 * reach + 1), repeat=dims):
        ends = zip(offset, x.shape[2:], strict=True)
        yield offset, padded[(slice(None), slice(None), *(slice(p, p + n, stride) for p, n in ends))]


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("padding", PADDINGS)
@torch.no_grad()
def test_operators_are_3_9(padding, dims):
    """Trained and shared kernels, stride 1 and 2, and the larger stem: sums of at most 2 * 7^dims products."""
    x = random(2, 2, *(9, 8, 7)[:dims])
    for module, stride, reach in (
        (convolution(dims, 2, 3, padding=padding), 1, 1),
        (convolution(dims, 2, 3, stride=2, padding=padding), 2, 1),
        (convolution(dims, 2, 3, stride=2, size=7, padding=padding), 2, 3),
        (feature_map("2", "trained", dims, 2, 2, padding), 2, 1),
        (restriction("bilinear", dims, 2, 2, padding), 2, 1),
    ):
        module, y = module.double(), 0
        for offset, v in windows(x, padding, stride, reach):
            K = module.weight[(..., *offset)].numpy()
            y = y + (K * v if isinstance(module, SharedKernel) else np.einsum("ab,nb...->na...", K, v))
        terms = 2 * (2 * reach + 1) ** dims
        bound = 2 * terms * EPS * float(module.weight.abs().max() * x.abs().max()) * terms
        np.testing.assert_allclose(module(x).numpy(), y, rtol=0, atol=bound)


@every_family
@pytest.mark.parametrize("padding", OTHERS)
@torch.no_grad()
def test_every_network_has_it(family, padding):
    """In all of its kernels, with the weights that the same seed gives a zero-padded network, and no parameter more."""
    torch.manual_seed(0)
    plain = create(family).eval()
    torch.manual_seed(0)
    model = create(family, padding=padding).eval()
    assert all(torch.equal(a, b) for a, b in zip(plain.state_dict().values(), model.state_dict().values(), strict=True))
    for name, module in model.named_modules():
        if isinstance(module, (SharedKernel, *CONVOLUTIONS)) and not isinstance(module, Interpolation):
            assert module.padding_mode == (padding if module.weight.shape[-1] > 1 else "zeros"), name
    x = torch.randn(1, 3, 8, 7, generator=torch.Generator().manual_seed(1))
    assert not torch.allclose(model(x), plain(x), rtol=1e-3, atol=1e-4)
    assert f", padding={padding}" in str(model.config)
    assert "padding" not in str(plain.config)
    assert nets.create_model(str(model.config)).config == model.config
    assert lookup.described(model.config.description) == model.config
    assert f", padding={padding}" in nets.summary(model, (3, 8, 7)).title
    assert lookup.own_settings(model.config.notation, model.config.settings())["padding"] == padding
    with pytest.raises(RuntimeError, match="padding"):  # weights of another function
        plain.load_state_dict(model.state_dict())


def test_files_from_before_there_was_padding():
    """Their settings have none, and neither have pickled modules: they are padded by zeros."""
    model = create("MgNet, fixed transfers")
    settings = {key: value for key, value in model.config.settings().items() if key != "padding"}
    assert lookup.configuration(model.config.notation, **settings) == model.config
    assert "padding_mode" not in vars(model.R[0])


@pytest.mark.parametrize("padding", PADDINGS)
def test_costs(padding):
    """Those of zero padding; on the way up an even axis has one more coarse pixel, which P reads as well."""
    model, v = (nets.create_model(f"{kind}[1,1]-[1]-B^l", padding=padding) for kind in ("MgNet", "V-MgNet"))
    assert nets.multiply_adds(model, (3, 9, 8)) == nets.multiply_adds(
        nets.create_model("MgNet[1,1]-[1]-B^l"), (3, 9, 8)
    )
    coarse = {"P.0": 5 * (4 if padding == "zeros" else 5) * 9}
    assert {c.name: c.multiply_adds for c in nets.inspect.trace.trace(v, (3, 9, 8)) if c.name in coarse} == coarse


@pytest.mark.parametrize(("padding", "last"), [("zeros", 3.5), ("reflect", 7), ("circular", 4)])
def test_prolongation_interpolates(padding, last):
    """Behind the last coarse point: zero, the value reflected about the last fine point, or the first value."""
    P, e = prolongation("bilinear", 1, 1, 1), torch.tensor([[[1.0, 3.0, 7.0]]])
    assert prolonged(P, e, (5,), padding).tolist() == [[[1, 2, 3, 5, 7]]]
    assert prolonged(P, e, (6,), padding).tolist() == [[[1, 2, 3, 5, 7, last]]]


@pytest.mark.parametrize("size", [(9, 9), (8, 8), (9, 6), (5, 7)])
@pytest.mark.parametrize("padding", PADDINGS)
def test_prolongation_is_adjoint_to_restriction(padding, size):
    """(R f, v) = (f, P v) between zeros, and around even axes; between reflections in the inner product of control
    volumes, half a pixel at an end of an odd axis, as pde's transfers."""
    f, v = random(1, 1, *size), random(1, 1, *((n + 1) // 2 for n in size), seed=1)
    Rf = restriction("bilinear", 2, 1, 1, padding).double()(f)
    Pv = prolonged(prolongation("bilinear", 2, 1, 1).double(), v, size, padding)
    if padding == "circular" and any(n % 2 for n in size):
        return  # first and last coarse pixel have no fine one between them: the mean of R and the interpolation differ
    W_f, W_c = volumes(size, padding, coarse=False), volumes(size, padding, coarse=True)
    # sums of 81 products, each with nine terms of K_R, whose weights are at most 1
    bound = 2 * EPS * 81 * 9 * float(f.norm() * v.norm()) * 4
    assert abs(float((W_c * Rf * v).sum() - (W_f * f * Pv).sum())) <= bound


def volumes(size, padding, *, coarse):
    """Control volumes of the fine points, or of every second one: a half where a point lies on a reflecting side."""
    lines = [torch.ones((n + 1) // 2 if coarse else n, dtype=torch.float64) for n in size]
    for line, n in zip(lines, size, strict=True):
        if padding == "reflect":
            line[0] = 0.5
            line[-1] = 0.5 if n % 2 or not coarse else 1
    return lines[0][:, None] * lines[1]


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("transfers", ["trained", "bilinear"])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_v_mgnet_keeps_any_size(dims, transfers, padding):
    model = nets.create_model("V-MgNet[1,1]-[2]-B^l", dims=dims, num_classes=5, transfers=transfers, padding=padding)
    for n in (4, 5):
        size = tuple(n + i for i in range(dims))
        assert model(torch.randn(1, 3, *size)).shape == (1, 5, *size)


@torch.no_grad()
def test_pooling_of_the_large_stem():
    """A reflected value is in its window already; around the end are others."""
    x = random(1, 1, 6, 7)
    for padding in PADDINGS:
        pool = nets.create_model("ResNet[1]-[4]", input="imagenet", padding=padding).pool
        expected = np.max([v for _, v in windows(x, "reflect" if padding == "zeros" else padding, 2)], axis=0)
        np.testing.assert_array_equal(pool(x).numpy(), expected)


@pytest.mark.parametrize(
    ("name", "settings", "size", "words"),
    [
        ("MgNet[1,1,1]-[2]-B^l", {}, (4, 4), r"grid 3 of 3 would have 1x1 pixels, and padding='reflect' by 1 needs 2"),
        ("MgNet[1,1,1]-[2]-B^l", {}, (8, 1), "the stem would have 8x1 pixels"),
        ("V-MgNet[1,1]-[2]-B^l", {}, (5, 2), "grid 2 of 2 would have 3x1 pixels"),
        ("DenseNet[1,1]-[2]", {}, (2, 2), "every grid but the coarsest|grid 2 of 2 would have 1x1"),
        ("ResNet[1]-[2]", {"input": "imagenet"}, (9, 3), "the stem would have 9x3 pixels, and .* by 3 needs 4 or more"),
        ("AlexNet", {}, (11, 11), "grid 2 of 3 would have 2x2 pixels, and padding='reflect' by 2 needs 3 or more"),
        ("AlexNet", {"padding": "circular"}, (4, 9), "grid 1 of 3 would have 4x9 pixels, and .* by 5 needs 5 or more"),
    ],
)
def test_sizes_that_are_too_small(name, settings, size, words):
    model = nets.create_model(name, **{"padding": "reflect", **settings})
    with pytest.raises(ValueError, match=f"x is too small: .*({words})"):
        model(torch.zeros(1, 3, *size))
    with pytest.raises(ValueError, match="input_size is too small"):
        nets.multiply_adds(model, (3, *size))


@pytest.mark.parametrize("size", [(5, 5), (8, 5)])
def test_smallest_sizes(size):
    for padding in OTHERS:
        assert nets.create_model("MgNet[1,1,1]-[2]-B^l", padding=padding).eval()(torch.zeros(1, 3, *size)).shape == (
            1,
            10,
        )


def test_bad_values(capsys):
    for name in ("ResNet18", "MgNet[2]-[8]-B^l", "DenseNet[2]-[3]", "VGG11"):
        with pytest.raises(ValueError, match="padding must be 'zeros' or 'reflect' or 'circular'; got 'periodic'"):
            nets.create_model(name, padding="periodic")
    with pytest.raises(ValueError, match="padding must be \"zeros\" for LeNet-5, which does not pad; got 'circular'"):
        nets.create_model("LeNet-5", padding="circular")
    with pytest.raises(ValueError, match=r"padding is given twice: 'reflect' in .*, and 'circular'"):
        nets.create_model("VGG11, padding=reflect", padding="circular")
    assert main(["summary", "MgNet[1]-[2]-B^l", "--padding", "reflect"]) == 0
    assert "MgNet[1]-[2]-B^l, padding=reflect" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("name", ["V-MgNet[1,1]-[2]-B^l-Pi_0", "MgNet[1,1]-[2]-B^l-Pi_bilinear"])
@pytest.mark.parametrize("padding", PADDINGS)
def test_exports_for_any_batch_and_size(name, padding):
    model, auto = nets.create_model(name, padding=padding).eval(), torch.export.Dim.AUTO
    shapes = {"x": {0: torch.export.Dim("batch", min=1), 2: auto, 3: auto}}
    program = torch.export.export(model, (torch.randn(2, 3, 9, 8),), dynamic_shapes=shapes).module()
    for other in (torch.randn(5, 3, 9, 8), torch.randn(3, 3, 11, 12)):
        torch.testing.assert_close(program(other), model(other))


@pytest.mark.slow
@pytest.mark.parametrize("padding", OTHERS)
@pytest.mark.parametrize("family", FAMILIES)
def test_compiles_as_one_graph(family, padding):
    torch._dynamo.reset()
    model, x = create(family, padding=padding).eval(), torch.randn(2, 3, 9, 8)
    compiled = torch.compile(copy.deepcopy(model), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), model(x))


@pytest.mark.parametrize("padding", OTHERS)
@pytest.mark.parametrize("family", ["MgNet, fixed transfers", "V-MgNet", "MgNO, published"])
def test_memory_formats_and_half_precision(family, padding):
    model = create(family, padding=padding).to(memory_format=torch.channels_last)
    x = torch.randn(2, 3, 9, 8).contiguous(memory_format=torch.channels_last)
    for u in model.forward_levels(x):
        assert u.is_contiguous(memory_format=torch.channels_last)
    for dtype in (torch.bfloat16, torch.float16):
        assert model.to(dtype)(x.to(dtype)).isfinite().all()


def test_gradients():
    """Through padded convolutions, P and the normalised mean; smooth, so without ReLU."""
    for name, padding in (("V-MgNet[1,1]-[1]-B^l", "reflect"), ("V-MgNet[1,1]-[1]-B^l", "circular")):
        model = nets.create_model(name, padding=padding, activation="identity", in_channels=1, num_classes=1)
        model = model.double().eval()
        model.s[0] = model.s[1] = nn.Softplus()
        assert torch.autograd.gradcheck(model, (random(1, 1, 4, 3).requires_grad_(),))
