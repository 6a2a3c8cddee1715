"""python -m pde solve under mpiexec: the numbers of one process, one voice, one exit code."""

import numpy as np
import pytest

import pde
from pde.__main__ import main
from pde.common.ranks import read_ranks
from tests.mpi.launch import mpiexec

RTOL = 1e-10


@pytest.fixture
def told(comm, folder, monkeypatch, capsys):
    """Runs a command in one folder of all ranks: its exit code and what all of them have printed."""
    monkeypatch.chdir(folder)

    def run(words, *more):
        with read_ranks(comm).together(communicates=True):
            try:
                code = main(["solve", *words.split(), *more])
            except SystemExit as stop:
                code = stop.code
        codes = set(comm.allgather(code))
        assert len(codes) == 1
        printed = capsys.readouterr()
        return codes.pop(), "".join(comm.allgather(printed.out)), "".join(comm.allgather(printed.err))

    return run


def saved(comm, name, array):
    if comm.rank == 0:
        np.save(name, array)
    comm.Barrier()


def same(u, v, f):
    """Both within the tolerance: |u - v| <= |A^-1| |A (u - v)|; the least eigenvalue of A is near 2 pi^2, above 19."""
    return np.sqrt(np.mean((u - v) ** 2)) <= 2 * RTOL * np.sqrt(np.mean(f**2)) / 19


def test_a_formula(comm, told):
    code, out, err = told("--shape 70 33 --f exp(x*y) --rtol 1e-10 --output u.npy")
    problem = pde.Poisson((70, 33))
    f = np.exp(np.prod(problem.points(), axis=0))
    assert (code, err) == (0, "")
    assert out.count("converged") == out.count("seconds") == out.count("written: u.npy") == 1
    assert same(np.load("u.npy"), pde.Multigrid(problem).solve(f, rtol=RTOL).u, f)


def test_files_in_a_file(comm, told):
    """A batch of right-hand sides and of first guesses, in single precision and in another byte order."""
    shape = (66, 31)
    f, u0 = np.random.default_rng(5).standard_normal((2, 3, *shape))
    f, u0 = f.astype(">f8"), u0.astype("f4")
    saved(comm, "f.npy", f)
    saved(comm, "u0.npy", u0)
    if comm.rank == 0:
        text = 'f = "f.npy"\nu0 = "u0.npy"\nshape = [66, 31]\nrtol = 1e-10\noutput = "u.npy"\nforce = true'
        with open("problem.toml", "w", encoding="utf-8") as file:
            file.write(text)
    comm.Barrier()
    assert told("problem.toml")[::2] == (0, "")
    expected = pde.Multigrid(pde.Poisson(shape)).solve(f.astype(float), u0=u0.astype(float), rtol=RTOL).u
    assert same(np.load("u.npy"), expected, f)


def test_the_shape_of_a_file(comm, told):
    saved(comm, "f.npy", np.ones((40, 21)))
    assert told("--f f.npy --output u.npy")[0] == 0
    assert np.load("u.npy").shape == (40, 21)


def test_a_known_solution(told):
    """u = x y, which the grid represents: rounding remains, and what the tolerance leaves of f = 0 is nothing."""
    code, out, _ = told("--shape 65 33 --exact x*y --g x*y")
    assert code == 0
    assert float(out.split("maximum error")[1].split()[0]) < 1e-8  # the tolerance; |A^-1| < 1, |g| = 1


def test_a_known_solution_up_to_a_constant(told):
    """cos(pi x), shifted by 7, on cells: an error of h^2 pi^2 / 12 of it, and less than twice that."""
    words = "--shape 64 8 --boundary neumann --centering cell --f pi**2*cos(pi*x) --exact cos(pi*x)+7"
    code, out, _ = told(words)
    assert code == 0
    assert "(up to a constant)" in out
    assert float(out.split("maximum error")[1].split()[0]) < np.pi**2 / 6 / 64**2


def test_a_solve_that_does_not_converge(told):
    code, out, err = told("--shape 63 63 --f 1 --cycle V --max-cycles 1 --output u.npy")
    assert code == 1
    assert err.count("max_cycles after 1 cycle") == 1
    assert out.count("written: u.npy") == 1


def test_one_bar(told):
    _, _, err = told("--shape 63 63 --f 1 --progress")
    assert err.count("0.0 of 8 digits") == 1


@pytest.mark.ranks(2, 3)
@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("--shape 63 63 --foo", "unrecognized arguments: --foo"),
        ("--f 1", "--shape is needed"),
        ("--shape 63 63 --f log(x-0.5)", "'log(x-0.5)' is not a number"),
        ("--shape 63 63 --f log(0.51-x)", "'log(0.51-x)' is not a number"),
        ("--shape 63 63 --f 1/(x-0.5)", "'1/(x-0.5)' is infinite"),
        ("--shape 63 63 --f none.npy", "f: there is no file none.npy"),
        ("--f none.npy", "f: there is no file none.npy"),
        ("--shape 63 63 --output none.npy/u.npy --f wrong.npy", "f must have the shape (63, 63) of the grid, got (9,)"),
        ("--shape 63 63 --output wrong.npy", "--output: wrong.npy is there already"),
        ("--shape 63 63 --output wrong.npy/u.npy", "--output: wrong.npy/u.npy cannot be written"),
        ("--shape 63 63 --output u.npz", "--output: many ranks write one array"),
        ("--shape 63 63 --plot u.png", "--plot is not for a problem that mpiexec divides"),
        ("--shape 63 63 --plot-history u.png", "--plot-history is not for"),
        ("--shape 63 63 --verbose", "--verbose is not for"),
        ("--shape 63 63 --lower 0", "--lower is not for"),
        ("--shape 63 63 --domain x<0.5", "--domain is not for"),
        ("--shape 63 63 --gradient-coefficient 1+s", "--gradient-coefficient is not for"),
        ("--shape 63 63 --reaction u**3", "reaction: formulas with u are not for"),
        ("--shape 63 63 --order 4", "order=4"),
        ("--shape 63 63 --smoother zebra", "smoother"),
        ("none.toml", "there is no file none.toml"),
    ],
)
def test_an_error_is_told_once(comm, told, words, text):
    saved(comm, "wrong.npy", np.ones(9))
    code, out, err = told(words)
    assert code == 2, err
    assert err.count("error:") == 1, err
    assert text in err
    assert "written" not in out


@pytest.mark.ranks(2)
def test_each_rank_by_itself(comm, told):
    code, out, _ = told(f"--no-mpi --shape 20 20 --f 1 --output u{comm.rank}.npy")
    assert code == 0
    assert out.count("written: ") == 2
    assert np.array_equal(np.load(f"u{comm.rank}.npy"), np.load("u0.npy"))


@pytest.mark.ranks(2)
def test_options_that_differ_are_told(comm, told):
    code, _, err = told(f"--shape 20 20 --f {comm.rank}")
    assert code == 2
    assert err.count("f must be the same on all ranks; rank 0 gives '0', rank 1 '1'") == 1


def test_from_the_shell(tmp_path):
    """The exit code of mpiexec, and nothing else than what one process prints."""
    target = tmp_path / "u.npy"
    done = mpiexec(3, "-m", "pde", "solve", "--shape", 63, 63, "--f", "x", "--output", target)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"written: {target}"
    assert target.exists()
    done = mpiexec(3, "-m", "pde", "solve", "--shape", 63, 63, "--f", "x", "--output", target)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("is there already") == len(done.stderr.splitlines()) == 1
