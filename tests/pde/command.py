"""`python -m pde solve` in this process, and problem files for it."""

from pathlib import Path

from pde.__main__ import main


def run(words, *more):
    """The exit code, also where the parser stops by itself."""
    try:
        return main(["solve", *words.split(), *more])
    except SystemExit as stop:
        return stop.code


def toml(text, name="problem.toml"):
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(text)
    return name
