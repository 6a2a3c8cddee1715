"""The ResNet family: against an implementation that shares nothing with the blocks, and as a module."""

import copy
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nets
from nets import ResNetConfig
from tests.nets import by_hand
from tests.nets.models.test_forms import activation
from tests.nets.networks import EPS, check_registered_once_and_used, images, network, norm, resnets

SEEDS = st.integers(0, 2**16)


def data_space(config, weights, x):
    """r at the end of every grid, and what is pooled, from a state_dict, with batch norm in evaluation mode."""

    bn, conv = partial(by_hand.norm, config, weights), partial(by_hand.conv, weights)
    tables = config.sharing == "tables" and config.B == "B^l"
    wide = config.kind == "WideResNet"
    r = by_hand.stem(config, weights, x, partial(activation, config, weights, 0))
    ends = []
    for l, nu in enumerate(config.nu):
        older = None
        for i in range(nu):
            a = 0 if config.A == "A^l" and not (tables and l == 0) else i
            b = i if (tables and l == 0) or config.B == "B^{l,i}" else 0
            b = b - 1 if l > 0 and config.B == "B^{l,i}" else b
            down, kernel, stride = l > 0 and i == 0, f"B.{l}.{b}", 1
            if down and not tables:
                kernel, stride = f"B_0.{l - 1}", 2
            one, two = f"norm_1.{l}.{i}", f"norm_2.{l}.{i}"
            s = lambda v, l=l: activation(config, weights, l, v)  # noqa: E731
            if config.kind == "ResNet":
                q = bn(f"norm_R.{l - 1}", conv(f"R.{l - 1}", r, 2)) if down else r
                inner = s(bn(one, conv(kernel, q if down and tables else r, stride)))
                r = s(q + bn(two, conv(f"A.{l}.{a}", inner)))
                continue
            before = activation(config, weights, l - 1 if down else l, bn(one, r))
            first = wide and i == 0
            q = before if config.kind in ("sigma-ResNet", "Mg-ResNet") or (down and tables) or first else r
            q = conv(f"R.{l - 1}", q, 2) if down else conv("widen.0", q) if first else q
            inner = q if down and tables else before
            d = conv(f"A.{l}.{a}", s(bn(two, conv(kernel, inner, stride))))
            if config.kind == "LM-ResNet" and older is not None:
                k = weights[f"k.{l}.{i - 1 - (l > 0)}"]
                older, r = r, (1 - k) * r + k * older + d
                continue
            older = None if down else r
            r = q + d if config.kind in ("pre-act ResNet", "LM-ResNet") or wide else q - d
        ends.append(r)
    if wide:
        r = activation(config, weights, len(config.nu) - 1, bn("norm_head", r))
    return ends, r


@given(resnets(), SEEDS)
@torch.no_grad()
def test_network_is_the_papers_iteration(config, seed):
    model = network(config, seed)
    x = images(config)
    expected, last = data_space(config, model.state_dict(), x)
    size = max(1.0, max(float(r.abs().max()) for r in expected))
    # operators of norm at most 1 (GELU 1.13): a block multiplies an error by 1 + 1.13^2 at most, and adds its rounding;
    # with |k| <= 1 in an LM-ResNet by 3 + 1.13^2
    blocks = sum(config.nu)
    growth = 4.3 if config.kind == "LM-ResNet" else 2.3
    tolerance = 8 * EPS * 9 * max(*config.channels, config.stem_channels, 3) * (3 * blocks + 1) * growth**blocks
    for visit, r in zip(model.visits(x), expected, strict=True):
        assert float((visit.u - r).abs().max()) <= tolerance * size
    scores, pooled = model(x), last.mean((2, 3))
    if config.num_classes:
        # the head's rows are bounded by 1 / sqrt(channels) per weight
        assert float((scores - model.head(pooled)).abs().max()) <= 2 * tolerance * size * config.channels[-1]


@given(resnets())
def test_nothing_is_registered_twice_and_everything_is_used(config):
    check_registered_once_and_used(config)


@pytest.mark.parametrize("name", ["ResNet18-A^l-B^l", "pre-act ResNet18-A^l-B^l"])
def test_one_batch_norm_per_use(name):
    """18 layers: two batch norms per block whatever is shared, and in ResNet one per R and one in the stem."""
    with torch.device("meta"):
        model = nets.create_model(name)
    extra = 4 if name.startswith("ResNet") else 0
    assert sum(isinstance(m, torch.nn.BatchNorm2d) for m in model.modules()) == 16 + extra
    # stem, one A per grid, B^l and B^{l,0}, R
    assert sum(isinstance(m, torch.nn.Conv2d) for m in model.modules()) == 1 + 4 + 4 + 3 + 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ResNet[2,1]-[3,4]-A^l-B^l", "Mg-iResNet[1,2]-[3,4]"])
def test_compiles_as_one_graph(name):
    torch._dynamo.reset()
    model = nets.create_model(name).eval()
    x = torch.randn(2, 3, 8, 8)
    compiled = torch.compile(copy.deepcopy(model), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), model(x))


def test_small_images_and_data_levels_say_what_is_wrong():
    model = nets.create_model("ResNet[1,1]-[3,4]")
    with pytest.raises(ValueError, match="x is too small: grid 1 of 2"):
        model(torch.zeros(2, 3, 1, 1))
    fine, coarse = model.levels
    f = torch.zeros(2, 3, 4, 4)
    with pytest.raises(ValueError, match="u must be None"):
        fine.start(f, f)
    with pytest.raises(ValueError, match="pool"):
        coarse.restrict(f, fine)
    with pytest.raises(TypeError, match="no way up"):
        fine.correct(f, coarse, f, f)


@given(SEEDS, st.sampled_from(("ResNet", "sigma-ResNet", "Mg-iResNet")))
def test_checkpoint_settings_round_trip(seed, kind):
    config = ResNetConfig((1, 2), (3, 4), kind, "A^l", "B^l", activation="hat:3,4")
    a, b = network(config, seed), nets.naming.lookup.configuration(config.notation, **config.settings())
    assert b == config
    other = nets.models.registry.network(b).double().eval()
    other.load_state_dict(a.state_dict())
    x = images(config)
    assert norm(a(x) - other(x)) == 0
