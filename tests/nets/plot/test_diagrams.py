"""A block diagram is what the network does: its boxes, run one after the other, give the network's features."""

import importlib.util
from operator import attrgetter, sub
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import nets
from nets import plot
from nets.__main__ import main
from nets.inspect.steps import steps
from nets.models.data_level import DataLevel
from nets.plot.diagrams import _Diagram, boxes
from nets.plot.style import GREY
from tests.nets.families import FAMILIES, create
from tests.nets.networks import all_configs, configs, densenets, images, mgnos, network, resnets

spec = importlib.util.spec_from_file_location("docs_pictures", Path("docs/pictures.py").resolve())
pictures = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pictures)


class Block(nn.Module):
    """A block with what a user's own module may have: functions, one in place, constants, two results, idle inputs."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.scale = nn.Parameter(torch.tensor(3.0))

    def forward(self, x, y, mask=None):
        z = self.conv1(torch.relu(y))
        z += x
        return 1 - self.scale * self.conv2(z), torch.cat([z, 0.5 * x], dim=1)


def run(found, model, level, values):
    """The operations as they are listed, by what is written in the boxes."""
    values, constants = dict(values), steps(model, level) if any(box.constants for box in found) else None
    actions = {
        "+": sum,
        "×": lambda taken: taken[0] * taken[1],
        "−": lambda taken: sub(*taken),
        "concatenate": lambda taken: torch.cat(taken, 1),
        "output": tuple,
        "relu": lambda taken: torch.relu(*taken),
    }
    for box in found:
        if box.does == "input":
            continue
        given = [attrgetter(c)(constants) if isinstance(c, str) else c for c in box.constants]
        taken = [values[name] for name in box.inputs]
        taken = [*given, *taken] if box.text.endswith(box.does) else [*taken, *given]
        act = actions.get(box.does) or (lambda taken, name=box.does: model.get_submodule(name)(*taken))
        values[box.name] = act(taken)
    return values["output"]


def check(model, size=7):
    """Compare with the features on every grid.

    A step multiplies an error by at most 5, or by some 10 more for each norm of groups, and adds the rounding of some
    ten sums of up to 1e3 terms: in three steps less than 1e-6 of the largest value. Another order of the operations,
    or another kernel, changes a good part of it.
    """
    in_data_space = isinstance(model.levels[0], DataLevel)
    for level, visit in enumerate(model.visits(images(model.config, size))):
        found = boxes(model, level)
        u0 = torch.zeros_like(visit.u) if visit.u0 is None else visit.u0
        values = {"f": u0} if in_data_space else {"f": visit.f, "u": u0}
        (u,) = run(found, model, level, values)
        bound = 1e-6 * max(float(v.detach().abs().max()) for v in (u, visit.u, *values.values()))
        assert float((u - visit.u).detach().abs().max()) <= bound, level


@given(st.one_of(all_configs(), configs(family="V-MgNet", transfers="trained"), resnets(), densenets(), mgnos()))
def test_the_boxes_are_the_network(config):
    check(network(config))


@pytest.mark.parametrize("family", FAMILIES)
def test_of_every_family(family):
    """The boxes are the network, their names tell kernels apart, and lines beside them do not run into each other."""
    model = network(create(family).config)
    check(model, size=16)
    for level in range(len(model.levels)):
        found = boxes(model, level)
        calls = [node.name for node in steps(model, level).graph.nodes if node.op != "get_attr"]
        assert [box.name for box in found] == calls
        kernels = [box for box in found if box.colour != GREY]
        named = {(box.text, box.does) for box in kernels}
        assert len(named) == len({box.text for box in kernels}) == len({box.does for box in kernels})
        assert {box.does for box in kernels if box.shared} == {
            box.does for box in kernels if [other.does for other in kernels].count(box.does) > 1
        }
        diagram = _Diagram(found)
        reach = [
            ((name in diagram.others, diagram.track[name]), diagram.row[name], max(ends))
            for name in diagram.track
            if (ends := [diagram.row[box.name] for box in found if name in box.inputs])
        ]
        for i, (track, start, end) in enumerate(reach):
            assert all(other != track or last <= start or end <= first for other, first, last in reach[:i])
        taken = {name for box in found for name in box.inputs if diagram._by_line(box, name)}
        assert taken == set(diagram.track)


def test_everything_is_drawn(tmp_path):
    models = {family: create(family) for family in ("MgNet, Pi_2", "LM-ResNet", "DenseNet")}
    plot.steps(models, tmp_path / "steps.svg", level=1)
    text = (tmp_path / "steps.svg").read_text(encoding="utf-8")
    found = [box for model in models.values() for box in boxes(model, level=1)]
    written = [*models, *("+" if box.does == "−" else box.text for box in found if box.text)]
    for word in set(written):
        assert text.count(f"<!-- {word} -->") == written.count(word)


def words(model, level=0):
    """What is written in the boxes, without sizes and indices."""
    kept = [box for box in boxes(model, level) if box.does not in ("input", "output")]
    return " ".join(box.text.partition("$")[0] for box in kept)


def test_the_papers_figures(tmp_path):
    """The steps that are drawn are the formulas whose numbers they have."""
    formulas = ("χ ReLU χ ReLU", "B ReLU A + ReLU", "ReLU B ReLU A +", "A − ReLU B ReLU +")
    drawn = [nets.create_model(name, batch_norm=False) for name in pictures.STEPS.values()]
    assert [words(model) for model in drawn] == list(formulas)
    formulas = ("ReLU B ReLU A + " * 2, "B ReLU A + ReLU " * 2, "B A + " * 2)
    shared = [nets.create_model(name, batch_norm=False, activation=s) for name, s in pictures.SHARED.values()]
    assert [words(model) for model in shared] == [formula.strip() for formula in formulas]
    for model in shared:
        kernels = [box.text.partition("   ")[0] for box in boxes(model) if box.colour != GREY]
        assert kernels == ["B$^{1,1}$", "A$^{1}$", "B$^{1,2}$", "A$^{1}$"]
        assert {box.text[0] for box in boxes(model) if box.shared} == {"A"}
    without = nets.create_model("pre-act ResNet[2]-[16]-A^l-B^{l,i}", batch_norm=False, activation="identity")
    assert [(box.does, set(box.inputs)) for box in boxes(without)] == [
        (box.does, set(box.inputs)) for box in boxes(shared[-1])
    ]
    for draw in (pictures.steps, pictures.shared_steps):
        assert draw(tmp_path / "steps.png").read_bytes().startswith(b"\x89PNG")


def test_a_module_of_ones_own(tmp_path):
    model = Block().eval()
    found = boxes(model)
    assert [box.text for box in found if box.does != "output"] == [
        *("x", "y", "relu", "conv1: Conv", "+", "conv2: Conv", "scale ×", "1 −", "0.5 ×", "concatenate")
    ]
    x, y = torch.randn(2, 2, 4, 5, 5)
    for got, expected in zip(run(found, model, 0, {"x": x, "y": y}), model(x, y), strict=True):
        # the same operations; a sum of 36 products, a second one of 4
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-4)
    assert _Diagram(found).others == {"x"}
    plot.steps(model, tmp_path / "mine.svg")
    assert "<!-- conv1: Conv -->" in (tmp_path / "mine.svg").read_text(encoding="utf-8")


class Mixed(nn.Module):
    """What is written in place, by methods, functions and modules; arguments by name; a whole network."""

    def __init__(self):
        super().__init__()
        self.net = nets.create_model("MgNet[1]-[4]-B^l", num_classes=4)
        self.block = nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True))

    def forward(self, x):
        y = self.net(x) / 2
        z = y + 0
        nn.functional.leaky_relu(input=z, negative_slope=0.5, inplace=True)
        z.mul_(3)
        view = y.flatten()
        view.add_(1)
        self.block[1](z)
        return torch.add(z, nn.functional.linear(y, self.block[0].weight), alpha=2)


def test_what_is_written_in_place_or_passed_by_name(tmp_path):
    model, x = Mixed().eval(), torch.randn(2, 3, 8, 8)
    expected = model(x).detach()
    # the same operations: sums of at most 36 products, four of them one after the other
    torch.testing.assert_close(steps(model)(x), expected, rtol=0, atol=1e-4 * float(expected.abs().max()))
    found = {box.name: box for box in boxes(model)}
    assert [box.text for box in found.values() if box.does != "output"] == [
        *("x", "net: MgNet", "/ 2", "+ 0", "leaky_relu negative_slope=0.5", "× 3", "flatten", "+ 1"),
        *("block.1: ReLU", "linear block.0.weight", "+ alpha=2"),
    ]
    assert found["mul_"].inputs == ("leaky_relu",)
    assert found["block_1"].inputs == ("mul_",)
    assert found["add_1"].inputs == ("block_1", "linear")
    plot.steps({1: model}, tmp_path / "mine.png")


class Branch(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


def test_bad_input(tmp_path):
    model = create("MgNet")
    for level in (3, -1, True, 0.0):
        with pytest.raises(ValueError, match=f"level must be an integer from 0 to 2; got {level}"):
            plot.steps(model, tmp_path / "x.png", level)
    with pytest.raises(TypeError, match=r"model must be a network or another torch\.nn\.Module; got str"):
        plot.steps("MgNet", tmp_path / "x.png")
    with pytest.raises(TypeError, match="got str"):
        plot.steps({"a": "MgNet"}, tmp_path / "x.png")
    with pytest.raises(ValueError, match=r"model must be a module that torch\.fx can trace: "):
        plot.steps(Branch(), tmp_path / "x.png")
    with pytest.raises(ValueError, match="level 0 of LeNet-5 has no steps to draw"):
        plot.steps(nets.create_model("LeNet-5", in_channels=1), tmp_path / "x.png")
    with pytest.raises(ValueError, match="at least one network"):
        plot.steps({}, tmp_path / "x.png")
    with pytest.raises(ValueError, match="xyz"):
        plot.steps(model, tmp_path / "x.xyz")
    assert not list(tmp_path.iterdir())


def test_command_line(tmp_path, capsys):
    path = tmp_path / "new" / "steps.svg"
    arguments = ["summary", "MgNet[2,1]-[4]-B^l", "--steps"]
    assert main([*arguments, str(path)]) == 0
    assert capsys.readouterr().out.endswith(f"\nwritten: {path}\n")
    assert "<!-- ReLU -->" in path.read_text(encoding="utf-8")
    assert main([*arguments, str(tmp_path / "steps.xyz")]) == 2
    assert "the ending of steps must be one of" in capsys.readouterr().err
    assert main([*arguments, str(path), "--plot", str(path)]) == 2
    assert "is the file of --plot already" in capsys.readouterr().err
