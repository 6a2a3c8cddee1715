"""Parts of a network are named by names, patterns and levels; what is in a frozen part stays in evaluation mode."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import nets
from nets.common.location import HEAD
from nets.models.freezing import freeze
from nets.models.modes import is_frozen, moving_statistics, trained_norms
from tests.nets.families import FAMILIES, create

NAME = "MgNet[2,1]-[4]-B^{l,i}"
LEVEL_2 = [
    *("A.1.weight", "B.1.0.weight", "norm_f.1.0.weight", "norm_f.1.0.bias", "norm_u.1.0.weight", "norm_u.1.0.bias"),
    *("R.0.weight", "norm_R.0.weight", "norm_R.0.bias", "Pi.0.weight", "norm_Pi.0.weight", "norm_Pi.0.bias"),
]
NAMED = [
    (NAME, "stem", ["stem.conv.weight", "stem.norm.weight", "stem.norm.bias"]),
    (NAME, "level 2", LEVEL_2),
    (NAME, "A*,  *Pi.?", ["A.0.weight", "A.1.weight", "Pi.0.weight", "norm_Pi.0.weight", "norm_Pi.0.bias"]),
    (NAME, ["head", "B.[!1].*"], ["B.0.0.weight", "B.0.1.weight", "head.weight", "head.bias"]),
    (NAME, "all but stem, levels 1-2, head.weight", ["head.bias"]),
    (NAME, ("all but *.weight", "*norm*", "head"), []),
    ("ResNet[1,1]-[4,6]", "R, A", ["A.0.0.weight", "A.1.0.weight", "R.0.weight"]),
    ("MgNO[1,1]-[4]", "all but W, K.[123], head", ["K.0.weight", "K.0.bias"]),
]


@pytest.mark.parametrize(("name", "parts", "expected"), NAMED)
def test_named_parts(name, parts, expected):
    model = nets.create_model(name)
    if not expected:
        with pytest.raises(ValueError, match="freeze must leave something to freeze"):
            freeze(model, parts)
    else:
        assert freeze(model, parts) == expected
    assert [name for name, weight in model.named_parameters() if not weight.requires_grad] == expected


@pytest.mark.parametrize("family", FAMILIES)
def test_levels_head_and_stem_are_a_network(family):
    """Each parameter is in one of them, and in no other."""
    model = create(family)
    names = [name for name, _ in model.named_parameters()]
    outside = [part for part in ("stem", *HEAD) if any(name.startswith(f"{part}.") for name in names)]
    levels = [f"level {l + 1}" for l in range(len(model.config.nu))]
    found = {part: freeze(model, part) for part in (*outside, *levels)}
    assert sorted(name for part in found.values() for name in part) == sorted(names)
    grids = f"levels 1-{len(levels)}"
    assert freeze(model, grids) == [name for name in names if any(name in found[part] for part in levels)]
    assert freeze(model, f"all but {grids}") == [n for n in names if any(n in found[part] for part in outside)]


def test_any_module_of_torch_has_parts():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sequential(nn.BatchNorm2d(2), nn.Linear(2, 2)))
    assert freeze(model, "1.0, 0.bias") == ["0.bias", "1.0.weight", "1.0.bias"]
    with pytest.raises(ValueError, match=r"freeze must name parts of Sequential with parameters: 0, 1; got 'head'$"):
        freeze(model, "head")


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ("steem", "the levels 1 to 2; got 'steem'; did you mean 'stem'?"),
        ("stem, Head", "got 'Head'; did you mean 'head'?"),
        ("pool", "must name parts of MgNet[2,1]-[4]-B^{l,i} with parameters: stem, A, B, norm_f, "),
        ("level 3", "the levels 1 to 2; got 'level 3'"),
        ("levels 0-1", "got 'levels 0-1'"),
        ("levels 2-1", "got 'levels 2-1'"),
        ("all but *", "must leave something to freeze; got 'all but *'"),
        ("stem,, head", "must have parts between its commas"),
        ([], "must have parts between its commas"),
        (["stem", "all but head"], "and 'all but' at its start alone, for all of them"),
        (["stem", 1], "must be names of parts of the network, such as 'stem, level 1'; got ['stem', 1]"),
        (None, "must be names of parts of the network"),
    ],
)
def test_parts_that_are_not_there(parts, words):
    model = nets.create_model(NAME)
    with pytest.raises((TypeError, ValueError)) as error:
        freeze(model, parts)
    assert str(error.value).startswith("freeze must ")
    assert words in str(error.value)
    assert all(weight.requires_grad for weight in model.parameters())
    with pytest.raises(TypeError, match="model must be a network; got str"):
        freeze(NAME, "stem")


def test_a_level_that_is_the_stem_alone_is_not_offered():
    with pytest.raises(ValueError, match="stem, chi, norm, head, the levels 2 to 5; got 'level 1'"):
        freeze(nets.create_model("VGG11"), "level 1")
    with pytest.raises(TypeError, match="model must be a network; got NoneType"):
        nets.train_mode(None)


class Part(nn.Sequential):
    """A convolution and modules without parameters whose results depend on the mode."""

    def __init__(self, c_in, c_out):
        super().__init__(nn.Conv2d(c_in, c_out, 3, padding=1), nn.BatchNorm2d(c_out, affine=False), nn.Dropout(0.5))


@given(st.lists(st.booleans(), min_size=3, max_size=3), st.booleans())
def test_what_is_in_a_frozen_part_is_frozen(frozen, outer):
    inner = nn.Sequential(Part(2, 2), Part(2, 2))
    model = nn.Sequential(Part(1, 2), inner, nn.BatchNorm2d(2, affine=False), nn.Dropout(0.5))
    parts = (model[0], inner[0], inner[1])
    for part, still in zip(parts, frozen, strict=True):
        part.requires_grad_(not still)
    if outer:
        inner.requires_grad_(False)
    nets.train_mode(model)
    still = [frozen[0], frozen[1] or outer, frozen[2] or outer]
    for part, is_still in zip(parts, still, strict=True):
        assert [module.training for module in part.modules()] == [not is_still] * 4
    everything = all(still)  # the batch norm and the dropout outside of the parts are in the network itself
    assert inner.training == (not (still[1] and still[2]))
    assert model[2].training == model[3].training == model.training == (not everything)
    moving = [part[1] for part, is_still in zip(parts, still, strict=True) if not is_still]
    moving += [model[2]] * (not everything)
    assert trained_norms(model) == moving
    assert [id(b) for b in moving_statistics(model)] == [id(b) for norm in moving for b in norm.buffers()]


def test_half_a_module_is_not_frozen():
    assert not is_frozen(nn.BatchNorm2d(3, affine=False))
    assert not is_frozen(nn.Sequential(nn.ReLU()))
    half = nn.Sequential(nn.BatchNorm2d(3))
    half[0].bias.requires_grad_(False)
    assert not is_frozen(half)
    half[0].weight.requires_grad_(False)
    assert is_frozen(half)
