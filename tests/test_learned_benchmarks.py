"""The queue of benchmarks/learned resumes and keeps its budget; its operation counts are those made by hand."""

import json
from argparse import ArgumentTypeError

import numpy as np
import pytest

import pde
from benchmarks.learned import __main__ as command
from benchmarks.learned import darcy, learned_table, operator_table
from benchmarks.learned.classical import Candidate, line_search, measure, rate, scipy_iterations
from benchmarks.learned.experiments import EXPERIMENTS
from benchmarks.learned.families import TUNING, problem
from benchmarks.learned.operations import LevelWork, cycle_operations, work_of, work_of_module
from benchmarks.learned.operators import SETTINGS, relative_error, with_finer_levels
from benchmarks.learned.transfers import CornerTransfer, name_of
from benchmarks.runner import Clock, Experiment, append, matching, read, read_duration, run_queue
from nets.runs.lock import FolderInUseError
from pde.levels.transfers import BilinearTransfer, LinearTransfer
from pde.problem.grid import Axis, Grid


class Calls:
    """Experiments that count their runs."""

    def __init__(self):
        self.runs = []

    def experiment(self, name, seconds=1.0, result=None, needs=()):
        def run(clock, results):
            assert 0 < clock.left <= seconds
            self.runs.append(name)
            if isinstance(result, Exception):
                raise result
            return {"value": 1, **{f"from {n}": results[n]["value"] for n in needs}}

        return Experiment(name, seconds, run, needs)


def test_the_queue_goes_on_where_it_was(tmp_path):
    calls, path = Calls(), tmp_path / "results" / "some.jsonl"
    queue = [calls.experiment("a"), calls.experiment("long", 1e6), calls.experiment("b"), calls.experiment("c", 5.0)]
    wanting = {name: f"needs {s} CPU s, more than was left of the budget" for name, s in (("long", 1000000), ("c", 5))}
    assert run_queue(queue[:2], path, 4.0) == {"long": wanting["long"]}
    missing = run_queue(queue, path, 4.0)
    assert calls.runs == ["a", "b"]
    assert missing == wanting
    assert run_queue(queue, path, 2e6) == {}
    assert calls.runs == ["a", "b", "long", "c"]
    assert [json.loads(line)["experiment"] for line in path.read_text().splitlines()] == calls.runs
    assert {"seconds", "date", "commit", "value"} <= set(read(path)["a"])


def test_an_experiment_that_fails_is_told_and_tried_again(tmp_path):
    calls, path = Calls(), tmp_path / "some.jsonl"
    failing = calls.experiment("a", result=ArithmeticError("no luck"))
    after = calls.experiment("b", needs=("a",))
    assert run_queue([failing, after], path, 9.0) == {"a": "ArithmeticError: no luck", "b": "needs a"}
    assert read(path)["a"]["error"] == "ArithmeticError: no luck"
    assert run_queue([calls.experiment("a"), after], path, 9.0) == {}
    assert read(path)["b"]["from a"] == 1
    assert calls.runs == ["a", "a", "b"]


def test_a_budget_has_room_for_an_experiment_of_its_length(tmp_path):
    calls, path = Calls(), tmp_path / "some.jsonl"
    assert run_queue([calls.experiment("a", 7200.0)], path, read_duration("2h")) == {}
    queue = [calls.experiment(name, 7200.0) for name in "bc"]

    def long(clock, results):
        return {"value": 1, "seconds": 7200.0}  # as measured, in place of the clock's

    queue[0] = Experiment("b", 7200.0, long)
    assert set(run_queue(queue, path, read_duration("3h"))) == {"c"}
    assert calls.runs == ["a"]


def test_two_queues_share_the_work(tmp_path):
    calls, path = Calls(), tmp_path / "some.jsonl"
    queue = [calls.experiment(name) for name in ("a", "b", "busy", "d")]
    other = {"experiment": "b", "value": 2}

    def first(clock, results):
        append(path, other)  # by another queue, meanwhile
        return {"value": 1}

    queue[0] = Experiment("a", 1.0, first)
    queue[2] = calls.experiment("busy", result=FolderInUseError("process 7 is writing"))
    assert run_queue(queue, path, 9.0) == {"busy": "process 7 is writing"}
    assert calls.runs == ["busy", "d"]
    assert set(read(path)) == {"a", "b", "d"}  # no error of what another is doing
    append(path, {"experiment": "b", "error": "by a queue that began before"})
    assert read(path)["b"] == other


def test_a_file_that_cannot_be_written_is_told_before_any_run(tmp_path):
    calls = Calls()
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        run_queue([calls.experiment("a")], tmp_path / "file" / "some.jsonl", 9.0)
    assert calls.runs == []


def test_a_line_that_was_cut_off_is_no_result(tmp_path):
    path = tmp_path / "some.jsonl"
    path.write_text('{"experiment": "a", "value": 3}\n{"experiment": "b", "val')
    assert read(path) == {"a": {"experiment": "a", "value": 3}}
    run_queue([Calls().experiment("b")], path, 9.0)
    assert set(read(path)) == {"a", "b"}


def test_names_and_durations():
    assert len({e.name for e in EXPERIMENTS}) == len(EXPERIMENTS)
    names = {e.name for e in EXPERIMENTS}
    assert all(set(e.needs) < names for e in EXPERIMENTS)
    assert matching(EXPERIMENTS, ["classical/Poisson/sor"]) == [
        e for e in EXPERIMENTS if e.name.endswith("Poisson/sor")
    ]
    with pytest.raises(ValueError, match=r"--only.*'nothing'"):
        matching(EXPERIMENTS, ["nothing"])
    assert [read_duration(text) for text in ("90", "90s", "1.5m", "2h")] == [90, 90, 90, 7200]
    for text in ("", "m", "-3s", "inf", "1d"):
        with pytest.raises(ArgumentTypeError, match="duration"):
            read_duration(text)


def test_operations_of_a_cycle_on_nine_unknowns():
    """3 x 3 unknowns, A of five points: 9 x 5 entries but 12 beyond the sides, and P has a column of nine.

    Red-black before and after: of an unknown with z entries z - 1 products, z - 1 differences, one from f, (1 - w) u,
    w / a (...) and their sum: 2 (33 - 9) + 3 x 9 + ... = 2 x 33 + 9 = 75; the residual: 33 products, 33 differences;
    R r: 9 products, 8 sums; 1 / a; P e: 9 products, 9 sums.
    """
    work = work_of(Candidate("sor", (1, 1)).solver("Poisson", 3, 1.0))
    assert [(level.n, level.nonzeros, level.transfer) for level in work] == [(9, 33, 9), (1, 1, 0)]
    assert cycle_operations(work) * 9 == pytest.approx(75 + 66 + (9 + 8) + 1 + (9 + 9) + 75)
    again = 2 + 1  # f - A u on the coarse grid
    assert cycle_operations(work, "W") - cycle_operations(work) == pytest.approx(again / 9)
    from_zero = 75 - (2 * 12 + 9)  # 12 of 24 couplings lead to unknowns that are not zero
    assert cycle_operations(work) - cycle_operations(work, from_zero=True) == pytest.approx(from_zero / 9)


def test_operations_of_a_learned_cycle():
    """A sweep is a residual, 2 x 33, and a kernel: 9 products, 8 sums, one more into u."""
    from pde.learning import TrainableMultigrid

    work = work_of_module(TrainableMultigrid(problem("Poisson", 3), kernel=3), (3, 3))
    assert work == [LevelWork((3, 3), 33, [9], [9], 9), LevelWork((1, 1), 1)]
    sweep = 66 + 9 * (9 + 8 + 1)
    assert cycle_operations(work) * 9 == pytest.approx(2 * sweep + 66 + 17 + 1 + 18)


def test_jacobi_counts_less_than_a_kernel_of_nine_and_as_much_as_one_of_one():
    one, nine, jacobi = (
        cycle_operations([LevelWork((7, 7), 217, [k], [k], 81), LevelWork((3, 3), 33)]) for k in (1, 9, "jacobi")
    )
    assert one == jacobi < nine


@pytest.mark.parametrize("tau", [-1.0, -0.3, 0.0, 1.0])
def test_corners_of_a_prolongation(tau):
    grid, both = Grid((Axis.uniform(7, 1.0), Axis.uniform(7, 1.0))), (True, True)
    made = CornerTransfer(tau, grid, both, np.dtype(float))
    P = made.matrix().toarray().reshape(7, 7, 3, 3)
    assert P[2:5, 2:5, 1, 1] == pytest.approx(np.array(made.kernel), rel=4 * np.finfo(float).eps)
    pure = {0.0: (BilinearTransfer, 1), 1.0: (LinearTransfer, 1), -1.0: (LinearTransfer, -1)}
    if tau in pure:
        make, step = pure[tau]
        expected = make(grid, both, np.dtype(float)).matrix().toarray().reshape(P.shape)
        assert np.array_equal(P, expected[::step, :, ::step])
    assert name_of(0) == "bilinear"


def test_a_line_search_of_fourteen_evaluations():
    seen = []
    omega, value = line_search(lambda w: seen.append(w) or (w - 1.234) ** 2, (0.8, 1.8))
    assert abs(omega - 1.234) < 1e-3
    assert value == (omega - 1.234) ** 2
    assert len(seen) <= 14


def test_conjugate_gradients_and_scipy_take_the_same_iterations_with_omega_above_one():
    candidate = Candidate("sor", (2, 2), tau=-1.0, accel="cg")
    mg = candidate.solver("45 deg, 0.01", TUNING, 1.4)
    assert mg.backend.symmetric().hierarchy.levels[0].B[0].omega == 1.4
    assert scipy_iterations(candidate, "45 deg, 0.01", 1.4) == rate(mg, candidate, TUNING)[1]


def test_tables_from_results(tmp_path):
    row = {"role": "best V(1,1)", "omega": 1.15, "value": 0.04, **vars(Candidate("sor", (1, 1)))}
    measured = measure("Poisson", row, Clock(60.0), sizes=(15, 31))
    result = {"family": "Poisson", "search_seconds": 3.2, "measured": [measured]}
    text = learned_table.body({"classical/Poisson/sor": json.loads(json.dumps(result))}, {"learned/x": "9 CPU s"})
    assert "| best V(1,1): sor V(1,1) | 1.15 |" in text
    assert "## Poisson" in text
    assert "## 30 deg" not in text
    assert text.endswith("## Not measured\n\n- learned/x: 9 CPU s")
    assert operator_table.body({}, {"operator/data": "not run yet"}).endswith("- operator/data: not run yet")
    assert measured["predicted"] == pytest.approx(measured["sizes"]["31"]["factor"], rel=0.2)


def test_the_command_writes_both_tables_and_lists_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["x", "--table", "--output", str(tmp_path)])
    command.main()
    texts = [(tmp_path / f"{name}.md").read_text() for name in ("learned", "operator")]
    for e in EXPERIMENTS:
        assert (f"- {e.name}: not run yet" in texts[0]) != (f"- {e.name}: not run yet" in texts[1])
    assert all("- command: `python -m benchmarks.learned --table" in text for text in texts)
    monkeypatch.setattr("sys.argv", ["x", "--only", "nothing"])
    with pytest.raises(SystemExit):
        command.main()
    assert "--only: no experiment has 'nothing'" in capsys.readouterr().err


def test_one_random_field_on_every_grid():
    """At 3 n cells every third centre is one of n cells; samples and parts have fields of their own."""
    coarse, fine = (darcy.field("test", 7, n) for n in (20, 60))
    rounding = darcy.MODES**2 * np.finfo(float).eps * np.abs(fine).max()
    assert np.abs(fine[1::3, 1::3] - coarse).max() <= rounding
    assert not np.allclose(coarse, darcy.field("test", 8, 20))
    assert not np.allclose(coarse, darcy.field("train", 7, 20))
    assert abs(fine.mean()) <= rounding  # no constant, and the other cosines sum to zero over the centres


def test_darcy_files_are_solutions_of_the_problem(tmp_path, monkeypatch):
    monkeypatch.setattr(darcy, "PARTS", {"train": 3, "validation": 1, "test": 2})
    path = tmp_path / "darcy.npz"
    assert darcy.save(path, 16, "test") > 0
    with np.load(path) as file:
        data = dict(file)
    assert {name: value.shape for name, value in data.items()} == {
        **dict.fromkeys(("train_inputs", "train_targets"), (3, 1, 16, 16)),
        **dict.fromkeys(("test_inputs", "test_targets"), (2, 1, 16, 16)),
    }
    for a, u in zip(data["test_inputs"][:, 0], data["test_targets"][:, 0], strict=True):
        assert set(np.unique(a)) <= {3.0, 12.0}
        A = pde.Poisson((16, 16), centering="cell", coefficient=a.astype(float))
        size = np.abs(A.matrix()).sum(axis=1).max() * np.abs(u).max()
        assert np.abs(A.apply(u.astype(float)) - 1).max() <= np.finfo(np.float32).eps * size + darcy.RTOL * 16


def test_relative_errors():
    t = np.array([[[3.0, 4.0]], [[0.0, 2.0]]])
    assert relative_error(t + np.array([0.0, 1.0]), t) == pytest.approx((1 / 5 + 1 / 2) / 2)
    assert relative_error(np.zeros((1, 1, 2)), t) == 1.0


def test_a_new_finest_level_is_a_copy():
    old = {"W.1.A.0.0.weight": 0, "W.1.A.1.0.weight": 1, "W.1.R.0.weight": 2, "K.1.weight": 3}
    new = dict.fromkeys(["W.1.A.0.0.weight", "W.1.A.1.0.weight", "W.1.A.2.0.weight", "W.1.R.1.weight", "K.1.weight"])
    assert list(with_finer_levels(old, new, 1).values()) == [0, 0, 1, 2, 3]
    assert with_finer_levels(old, old, 0) == old
    assert with_finer_levels({"W.0.A.1.0.weight": 7}, {"W.0.A.1.0.weight": None}, 1) == {"W.0.A.1.0.weight": 7}


@pytest.mark.parametrize("form", ["residual", "published"])
def test_an_mgno_with_a_level_more_takes_all_weights(form):
    import nets

    small, large = (nets.create_model(f"MgNO[{nu}]-[2], form={form}", in_channels=1) for nu in ("1,2", "1,1,2"))
    made = with_finer_levels(small.state_dict(), large.state_dict(), 1)
    assert {key: value.shape for key, value in made.items()} == {k: v.shape for k, v in large.state_dict().items()}


def test_a_table_of_operators():
    run = {"setting": "width 16", "parameters": 1000, "epochs": 9.5, "l2 at 128": 0.5, "seconds_per_sample": 0.01}
    runs = {f"operator/U-Net/seed{s}": {**run, "l2": 0.01 * s, "validation": [0.1, 0.2, 0.3]} for s in (1, 2)}
    data = {"operator/data": {"mean": 0.25, "seconds_per_sample": {"64": 0.01, "128": 0.06}}}
    text = operator_table.body({**runs, **data}, {})
    assert "| U-Net | width 16 | 1,000 | 9.5 | 1.50 ± 0.71 | 2 | 50.00 ± 0.00 | 10.0 | 10.00, 20.00, 30.00 |" in text
    assert "| 25.00 |" in text
    assert all(len(settings) == 3 for settings in SETTINGS.values())
