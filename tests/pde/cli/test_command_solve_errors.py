"""python -m pde solve: a mistake is told in one line, and nothing is written."""

from pathlib import Path

import numpy as np
import pytest

from tests.pde.command import run, toml

pytestmark = pytest.mark.usefixtures("in_a_folder_of_its_own")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("", "--shape is needed"),
        ("--shape 4 4 4 4", "shape"),
        ("--shape 0", "shape[0]"),
        ("--dims 2 --shape 4 5 6", "--shape"),
        ("--shape 8 --f sin(q)", "'q' at column 5"),
        ("--shape 8 --f y", "there are x, pi, e"),
        ("--shape 8 --f 9**9**9**9", "is infinite"),
        ("--shape 8 --f 1/(x-x)", "'1/(x-x)' is infinite at x = 0.1111"),
        ("--shape 8 --f nothing.npy", "there is no file nothing.npy"),
        ("--shape 8 --f short.npy", "short.npy cannot be read"),
        ("--shape 8 --f words.npy", "words.npy"),
        ("--shape 8 --f objects.npy", "objects.npy cannot be read"),
        ("--shape 8 --f text.npy", "text.npy cannot be read"),
        ("--shape 8 --f nan.npy", "f must be finite"),
        ("--shape 9 --f eight.npy", "f must have the problem's shape (9,)"),
        ("--shape 8 --f several.npz", "several.npz holds more than one array"),
        ("--shape 8 8 --g q-low=1", "unknown side 'q-low'; there are x-low"),
        ("--shape 8 --g y-low=1", "unknown side 'y-low'"),
        ("--shape 8 --g x-low=1 2", "names its side"),
        ("--shape 8 --g x-low=1 x-low=2", "twice"),
        ("--shape 8 --g x-low=foo(x)", "g of x-low"),
        ("--shape 8 --boundary robin:y", "boundary: beta"),
        ("--shape 8 --boundary robin:", "boundary: beta"),
        ("--shape 8 --boundary robin:-1", "beta"),
        ("--shape 8 --boundary robin", "robin:2.5"),
        ("--shape 8 8 --boundary robin", "robin:2.5"),
        ("--shape 8 8 --boundary robin,dirichlet neumann", "robin:2.5"),
        ("--shape 8 --boundary magic", "boundary must be"),
        ("--shape 8 --boundary periodic,neumann", "periodic on both sides"),
        ("--shape 8 --coefficient -1", "coefficient must be positive"),
        ("--shape 8 --coordinates eight.npy", "coordinates[0] must hold 10 nodes"),
        ("--shape 8 --coordinates 3", "coordinates[0] must be a .npy file"),
        ("--shape 8 --omega 3", "omega must lie in (0, 2)"),
        ("--shape 8 --rtol x", "--rtol"),
        ("--shape 8 --cycle F --accel cg", "cycle"),
        ("--shape 8 --boundary periodic --f 1", "f does not fit this singular problem"),
        ("--shape 8 --output u.txt", "--output: u.txt must end with .npy, .npz"),
        ("--shape 8 --plot u", "--plot: u must end with .png"),
        ("--shape 8 --output eight.npy", "is there already; give --force"),
        ("--shape 8 --output folder.npy", "folder.npy is a folder"),
        ("--shape 8 --output eight.npy/u.npy", "cannot be written"),
        (f"--shape 8 --output {'u' * 300}.npy", "--output: uuuu"),
        (f"--shape 8 --plot {'u' * 252}.png", "cannot be written: File name too long"),
        (f"--shape 8 --output {'u' * 5000}", "uuuu must end with .npy"),
        (f"--shape 8 --output {'u/' * 3000}u.npy", "--output: u/u/"),
        ("--shape 8 --output a\0b.npy", "--output: 'a\\x00b.npy' cannot be written"),
        ("--shape 8 --plot-history a\0b/c.png", "--plot-history: 'a\\x00b/c.png' cannot be written"),
        ("--shape 8 --f a\0b.npy", "f: a"),
        (f"--shape 8 --f {'a' * 300}.npy", "cannot be read"),
        ("--shape 99999999999999999999", "shape[0] must be at most"),
        ("--shape 8 99999999999999999999", "shape[1] must be at most"),
        ("--shape 4000000000 4000000000", "shape must have at most"),
        ("--shape 8 --nu 99999999999999999999 1", "nu must be"),
        ("--shape 8 --levels 99999999999999999999", "levels must be at most"),
        ("--shape 8 --max-cycles 99999999999999999999", "max_cycles must be at most"),
        ("deep.toml", "deep.toml cannot be read: lists or tables are nested too deeply"),
        ("tables.toml", "tables.toml cannot be read: lists or tables are nested too deeply"),
        ("long.toml", "long.toml is no TOML file"),
        ("nul.toml", "--output: 'a\\x00b.npy' cannot be written"),
        (f"{'a' * 300}.toml", "cannot be read"),
        ("a\0b.toml", "cannot be read"),
        ("--shape 8 --plot a.png --plot-history ./a.png", "to be written twice"),
        ("--shape 8 --f batch.npy --plot u.png", "--plot shows one solution"),
        ("--shape 4 --plot-smoothing s.png", "one level"),
        ("--shape 4 --f 1 --output u.npy --plot-smoothing s.png", "one level"),
        ("--shape 100000 100000 100000 --f 1", "not enough memory"),
        ("nothing.toml", "there is no file nothing.toml"),
        ("broken.toml", "broken.toml is no TOML file"),
        ("binary.toml", "binary.toml cannot be read"),
        ("typo.toml", "unknown key 'max_cycle'; did you mean 'max_cycles'?"),
        ("kinds.toml", "verbose must be true or false, got 1"),
        ("true.toml", "rtol cannot be True"),
        ("table.toml", "f must hold real numbers"),
        ("number.toml", "output must be the name of a file, got 3"),
        ("--shape 8 --unknown", "--unknown"),
    ],
)
def test_errors_are_one_line_that_names_the_mistake(words, named, capsys):
    np.save("eight.npy", np.ones(8))
    np.save("batch.npy", np.ones((2, 8)))
    np.save("nan.npy", np.full(8, np.nan))
    np.save("words.npy", np.array(["a"] * 8))
    np.save("objects.npy", np.array([{}] * 8), allow_pickle=True)
    Path("short.npy").write_bytes(Path("eight.npy").read_bytes()[:-9])
    Path("text.npy").write_text("1 2 3")
    np.savez("several.npz", a=1)
    Path("folder.npy").mkdir()
    texts = {"broken": "f = ", "typo": "max_cycle = 3", "kinds": "shape = 8\nverbose = 1", "number": "output = 3"}
    texts |= {"deep": f"f = {'[' * 3000}{']' * 3000}", "tables": f"f = {'{a=' * 3000}1{'}' * 3000}"}
    texts |= {"long": f"shape = {'9' * 5000}", "nul": 'shape = 8\noutput = "a\\u0000b.npy"'}
    for name, text in (texts | {"true": "rtol = true", "table": "shape = 8\nf = {a = 1}"}).items():
        toml(text, f"{name}.toml")
    Path("binary.toml").write_bytes(b"\xff\xfe\x00")
    before = sorted(Path().rglob("*"))
    assert run(words) == 2
    printed = capsys.readouterr()
    assert len(printed.err.splitlines()) == 1
    assert named in printed.err
    assert sorted(Path().rglob("*")) == before
