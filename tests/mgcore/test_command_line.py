"""Commands from a table: defaults, flags, groups that a file may fill, exit codes."""

import argparse
import sys

import pytest

from mgcore.common.command_line import add_command, read_commands, read_file, read_options, run

TABLE = """
[work]
help = "one of $NAMES; $OTHER stays"

[work.arguments]
file = {positional = true, type = "path", help = "a file"}
count = {type = "int", default = 3, help = "(default: %(default)s)"}

[work.choice]
a = {action = "store_true", help = "a"}
b = {action = "store_true", help = "b"}

[work.settings]
kind = {choices = ["auto", "*NAMES"], help = "one of $NAMES"}
show_all = {action = "flag", help = "all"}
size = "shared"

[shared]
size = {type = "float", help = "a size"}
"""


@pytest.fixture
def commands(tmp_path, monkeypatch):
    package = tmp_path / "package_with_commands"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "commands.toml").write_text(TABLE)
    monkeypatch.syspath_prepend(tmp_path)
    yield read_commands("package_with_commands", {"NAMES": ["x", "y"]})
    sys.modules.pop("package_with_commands", None)


def parse(commands, *words):
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers()
    for name, table in commands.items():
        add_command(subparsers, name, table, print)
    return parser.parse_args(["work", *words])


def test_options_have_defaults_or_are_absent(commands):
    options = parse(commands, "f")
    assert (str(options.file), options.count, options.a) == ("f", 3, False)
    assert read_options(options, commands["work"]["settings"]) == {}
    given = parse(commands, "f", "--kind", "y", "--no-show-all", "--size", "2")
    assert read_options(given, commands["work"]["settings"]) == {"kind": "y", "show_all": False, "size": 2.0}


@pytest.mark.parametrize("words", [("f", "--kind", "z"), ("f", "--a", "--b"), ("",), ("f", "--count", "1.5")])
def test_mistakes_are_refused(commands, words, capsys):
    with pytest.raises(SystemExit) as end:
        parse(commands, *words)
    assert end.value.code == 2
    assert "error" in capsys.readouterr().err


def test_a_file_holds_known_options_alone(commands, tmp_path):
    known, file = commands["work"]["settings"], tmp_path / "a.toml"
    file.write_text('kind = "x"\nshow-all = true')
    read = lambda: read_file(file, known, lambda path, name, value: (name, value), {}, "config: ")  # noqa: E731
    assert read() == {"kind": ("kind", "x"), "show_all": ("show_all", True)}
    file.write_text("sizes = 1")
    with pytest.raises(ValueError, match=r"^config: .*a.toml: unknown key 'sizes'; did you mean 'size'"):
        read()


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ValueError("first line\nsecond"), 2, "program: error: first line\n"),
        (MemoryError("x"), 2, "program: error: not enough memory: x\n"),
        (KeyboardInterrupt(), 130, "program: interrupted\n"),
        (None, 0, ""),
    ],
)
def test_exit_codes(error, code, words, capsys):
    def command():
        if error is not None:
            raise error

    assert run("program", command) == code
    assert capsys.readouterr().err == words
