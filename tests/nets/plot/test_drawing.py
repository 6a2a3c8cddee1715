"""The drawing shows every use of a kernel where it runs, and every family can be drawn."""

from inspect import signature

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nets
from nets import plot
from nets.__main__ import main
from nets.cli.options import COMMANDS
from nets.common.location import locate
from nets.inspect.trace import trace
from nets.models import registry
from nets.plot import network as drawing
from tests.nets.families import FAMILIES, create
from tests.nets.networks import all_configs, configs, mgnos, resnets


def steps(groups):
    return ["".join(drawing.LETTERS[kernel.part][0] for kernel in step) for step in groups]


@pytest.mark.parametrize(
    ("name", "settings", "down", "between"),
    [
        ("MgNet[2,2]-[4]-B^l", {}, [["B", "AB", "A"], ["B", "AB"]], "ΠR"),
        ("MgNet[2,2]-[4]-B^l", {"form": "feature"}, [["AB", "AB", "A"], ["A", "AB", "AB"]], "ΠR"),
        ("MgNet[2,1]-[4]-B^l", {"iteration": "multi-step"}, [["B", "ABB", "A"], ["B"]], "ΠR"),
        ("MgNet[1,1]-[4]-B^l-Pi_0-A:xi.sigma.eta", {}, [["ηξB", "ηξ"], ["ηξ", "ηξB"]], "R"),
        ("ResNet[2,3]-[4,4]", {}, [["BA", "BA"], ["A", "BA", "BA"]], "B⁰R"),
    ],
)
def test_steps(name, settings, down, between):
    model = nets.create_model(name, **settings)
    rows = drawing.rows(model, trace(model, (3, 8, 8)))
    assert [steps(row.down) for row in rows] == down
    assert "".join(sorted(steps([rows[1].from_finer])[0])) == "".join(sorted(between))


def test_shared_and_fixed_weights():
    """B^{l,i} has weights of its own in every sweep, A^l has not; the fixed transfers have none."""
    model = nets.create_model("V-MgNet[2,1]-[4]-B^{l,i}", transfers="bilinear")
    fine, coarse = drawing.rows(model, trace(model, (3, 8, 8)))
    kinds = {kernel.part: kernel.weights for step in (*fine.down, *fine.up) for kernel in step}
    assert kinds == {"A": 0, "B": "own", "B_post": "own"}
    assert {k.part: k.weights for k in (*coarse.from_finer, *fine.from_coarser)} == {
        "R": "fixed",
        "Pi": "fixed",
        "P": "fixed",
    }
    assert steps(fine.up) == ["AB′", "AB′"]


@given(st.one_of(all_configs(), resnets(), configs(family="V-MgNet", transfers="trained")))
def test_nothing_is_left_out(config):
    model = registry.network(config)
    calls = trace(model, (config.in_channels, 9, 12))
    rows = drawing.rows(model, calls)
    drawn = [
        kernel for row in rows for group in (*row.down, *row.up, row.from_finer, row.from_coarser) for kernel in group
    ]
    assert len(drawn) == sum(locate(call.name).level is not None for call in calls)


@given(mgnos())
def test_of_an_mgno_the_last_layer_is_drawn(config):
    model = registry.network(config)
    calls = drawing._one_cycle(model, trace(model, (config.in_channels, 9, 12)))
    last, table = f".{config.layers - 1}.", drawing.rows(model, calls)
    assert {call.name.partition(".")[0] for call in calls} <= {"W", "K"}
    assert all(f"{call.name}.".startswith((f"W{last}", f"K{last}")) for call in calls)
    groups = [group for row in table for group in (*row.down, *row.up, row.from_finer, row.from_coarser)]
    assert sum(map(len, groups)) == len(calls)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_can_be_drawn(family, tmp_path):
    model = create(family, num_classes=0 if family == "ResNet" else 10)
    plot.cycle(model, tmp_path / "cycle.svg", title=family)
    text = (tmp_path / "cycle.svg").read_text()
    assert text.count("<!-- grid") == len(model.config.nu)
    assert f"<!-- {family} -->" in text


def test_bad_input(tmp_path):
    model = create("MgNet")
    with pytest.raises(TypeError, match=r"model must be a nets\.Network; got str"):
        plot.cycle("MgNet", tmp_path / "x.png")
    with pytest.raises(ValueError, match="too small"):
        plot.cycle(model, tmp_path / "x.png", (3, 1, 1))
    with pytest.raises(ValueError, match="xyz"):
        plot.cycle(model, tmp_path / "x.xyz")
    for size in (32, "32", (3, 32.0, 32), (3, 0, 8)):
        with pytest.raises(TypeError, match="input_size must be the shape"):
            nets.summary(model, size)


def test_command_line(tmp_path, capsys):
    path = tmp_path / "new" / "folder" / "cycle.png"
    assert main(["summary", "MgNet[2,1]-[8]-B^l", "--size", "16,12", "--plot", str(path)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("MgNet[2,1]-[8]-B^l\n")
    assert "16x12" in text
    assert path.read_bytes().startswith(b"\x89PNG")
    for arguments, words in (
        (["--size", "16,12,3"], "size must be 1 or 2 positive integers, such as 32 or 32,32; got '16,12,3'"),
        (["--size", "-3"], "size must be"),
        (["--dims", "4"], "dims must be 1 or 2 or 3; got 4"),
        (["--sharing", "all"], "sharing must be 'literal'; got 'all'"),
        (["--plot", str(tmp_path / "new" / "cycle")], "the ending of plot must be one of"),
        (["--plot", str(tmp_path / "new" / "cycle.xyz")], "; got 'xyz'"),
        (["--plot", str(path / "cycle.png")], "plot must be a file in a folder; "),
    ):
        assert main(["summary", "MgNet[2,1]-[8]-B^l", *arguments]) == 2
        printed, error = capsys.readouterr()
        assert words in error
        assert printed == ""


@pytest.mark.parametrize(("command", "group"), [("summary", "network"), ("train", "network"), ("data", "data")])
def test_options_are_arguments(command, group):
    """Each option is an argument of the function, a flag exactly where that is true or false."""
    parameters = signature(nets.create_model if group == "network" else nets.data.load).parameters
    options = COMMANDS[command][group]
    assert options
    for name, option in options.items():
        assert ("action" in option) == ("bool" in str(parameters[name].annotation)), name
