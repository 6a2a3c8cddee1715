"""Nonlinear problems: factors of V(1,1), one pass of full multigrid against the discrete solution, order, fold, speed.

Measurements are made one after the other, the most informative first, and kept in a file: a run that is stopped, or
whose minutes are over, is continued by the next one. The table has what there is.

    python benchmarks/nonlinear.py [--quick] [--minutes 7.5] [--anew] [--output FOLDER]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np
import report

import pde

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
from bratu import Curve

Function = Callable[..., Any]
SIZES = {2: (63, 127, 255, 511, 1023), 3: (31, 63, 127)}
QUICK = {2: (63, 127), 3: (31,)}
COSTLY = {2: (63, 127, 255, 511), 3: (31, 63)}
FOLDS = {16: 6.802174, 32: 6.806653, 64: 6.807758}


def growth(g: float) -> dict[str, Any]:
    return {"reaction": f"{g}*u*exp(u)"}


SEMILINEAR = {
    **{f"−Δu + {g:g} u exp(u)": growth(g) for g in (1, 10, 100, 1000, 10000)},
    "−Δu + 100 u³": {"reaction": "100*u**3"},
    **{f"Bratu, λ = {value:g}": {"reaction": f"-{value}*exp(u)"} for value in (1, 3, 6.5)},
    "−Δu + 1000 sinh u": {"reaction": "1000*sinh(u)"},
}
QUASILINEAR = {
    **{f"−∇·((1 + {P} u²)∇u)": {"coefficient": f"1 + {P}*u**2"} for P in (1, 10, 100)},
    **{f"3-Laplacian, ε = {e}": {"gradient_coefficient": f"({e}**2 + s)**0.5"} for e in (1, 0.1, 0.01)},
}


def factor(terms: dict[str, Any], shape: tuple[int, ...]) -> float:
    """Mean reduction of the residual by cycles 6 to 9 from a rough first guess."""
    mg = pde.Multigrid(pde.NonlinearPoisson(shape, **terms), nu=(1, 1))
    u0 = 0.1 * np.random.default_rng(1).standard_normal(shape)
    f = 0.0 if "-" in terms.get("reaction", "") else 1000.0
    norms = mg.solve(f, u0=u0, rtol=0.0, max_cycles=9, method="fas").residual_norms
    return float((norms[9] / norms[5]) ** (1 / 4))


def wave(x: Any, y: Any) -> tuple[Any, ...]:
    """u = (x - x^2) sin(3 pi y), with its first and second derivatives."""
    k = 3 * np.pi
    p, s, c = x - x**2, np.sin(k * y), np.cos(k * y)
    return p * s, (1 - 2 * x) * s, k * p * c, -2 * s, k * (1 - 2 * x) * c, -k * k * p * s


def hill(x: Any, y: Any) -> tuple[Any, ...]:
    """The same of u = 2 sin(pi x) sin(pi y)."""
    k, s, t, c, d = np.pi, np.sin(np.pi * x), np.sin(np.pi * y), np.cos(np.pi * x), np.cos(np.pi * y)
    return 2 * s * t, 2 * k * c * t, 2 * k * s * d, -2 * k * k * s * t, 2 * k * k * c * d, -2 * k * k * s * t


def data(a: Function, of_u: Function, of_s: Function, c: Function, form: Function = wave) -> tuple[Function, Function]:
    """f and u of -div(a grad u) + c(u) = f, with a(u, s) and its derivatives with respect to u and s."""

    def f(x: Any, y: Any) -> Any:
        u, ux, uy, uxx, uxy, uyy = form(x, y)
        s = ux**2 + uy**2
        along = 2 * (ux * (ux * uxx + uy * uxy) + uy * (ux * uxy + uy * uyy))
        return -a(u, s) * (uxx + uyy) - of_u(u, s) * s - of_s(u, s) * along + c(u)

    return f, lambda x, y: form(x, y)[0]


def none(*_: Any) -> float:
    return 0.0


def liouville(x: Any, y: Any) -> Any:
    squares = (x + 1) ** 2 + (y + 1) ** 2
    return np.log(32 * squares / (1 + squares**2) ** 2)


KNOWN: dict[str, tuple[dict[str, Any], Function | float, Function]] = {
    **{
        f"−Δu + {g:g} u exp(u)": (growth(g), *data(lambda *_: 1.0, none, none, lambda u, g=g: g * u * np.exp(u)))
        for g in (1, 10, 100, 1000, 10000)
    },
    "Bratu, Liouville's solution": ({"reaction": "-exp(u)"}, 0.0, liouville),
    **{
        f"−∇·((1 + {P} u²)∇u)": (
            {"coefficient": f"1 + {P}*u**2"},
            *data(lambda u, s, P=P: 1 + P * u**2, lambda u, s, P=P: 2 * P * u, none, none, hill),
        )
        for P in (1, 10, 100)
    },
    "3-Laplacian, ε = 0.01": (
        {"gradient_coefficient": "(0.01**2 + s)**0.5"},
        *data(lambda u, s: (1e-4 + s) ** 0.5, none, lambda u, s: 0.5 * (1e-4 + s) ** -0.5, none),
    ),
}
"""Terms, f and the solution, which is the data of the sides too."""


def errors(name: str, n: int) -> dict[str, float]:
    """Largest errors: of the discrete solution, and of one pass of full multigrid against that."""
    terms, f, exact = KNOWN[name]
    mg = pde.Multigrid(pde.NonlinearPoisson((n, n), **terms), nu=(1, 1))
    u, once = mg.solve(f, exact, rtol=1e-11).u, mg.full_multigrid(f, exact)
    return {"discrete": float(abs(u - exact(*mg.problem.points())).max()), "pass": float(abs(once - u).max())}


def bratu_function(u: Any, x: Any, y: Any) -> Any:
    return -np.exp(u)


SPEEDS: dict[str, dict[str, Any]] = {
    "formula": {"terms": {"reaction": "-exp(u)"}},
    "function with derivative": {"terms": {"reaction": bratu_function, "derivative": bratu_function}},
    "function, differences": {"terms": {"reaction": bratu_function}},
    'function with derivative, kernels="numpy"': {
        **{"terms": {"reaction": bratu_function, "derivative": bratu_function}, "kernels": "numpy"}
    },
}


def speed(how: str, n: int, repeats: int = 5) -> dict[str, float]:
    """Medians of a pass of full multigrid on Bratu's problem, set-up and compilation apart."""
    options = dict(SPEEDS[how])
    mg = pde.Multigrid(pde.NonlinearPoisson((n, n), **options.pop("terms")), threads=1, **options)
    times = []
    for _ in range(repeats + 1):
        began, cpu = perf_counter(), process_time()
        mg.full_multigrid(0.0, liouville)
        times.append((process_time() - cpu, perf_counter() - began))
    cpu, wall = (median(time[k] for time in times[1:]) for k in (0, 1))
    return {"cpu": cpu, "wall": wall}


def fold(spacings: int) -> float:
    curve = Curve(spacings - 1)
    return float(curve.fold(curve.follow(0.25, 8))[1])


def queue(quick: bool) -> dict[str, Callable[[], Any]]:
    """The measurements by name, the most informative first."""
    grids = [(n, ndim) for ndim, sizes in (QUICK if quick else SIZES).items() for n in sizes]
    jobs: dict[str, Callable[[], Any]] = {f"speed {how}": partial(speed, how, 255 if quick else 2047) for how in SPEEDS}
    jobs |= {f"fold {spacings}": partial(fold, spacings) for spacings in FOLDS}
    for n, ndim in sorted(grids, key=lambda grid: grid[0] ** grid[1]):
        laws = SEMILINEAR | (QUASILINEAR if n in COSTLY[ndim] else {})
        mark = f"{n}^3" if ndim == 3 else n
        jobs |= {f"factor {name} {mark}": partial(factor, terms, (n,) * ndim) for name, terms in laws.items()}
        if ndim == 2 and n <= 255:
            jobs |= {f"errors {name} {n}": partial(errors, name, n) for name in KNOWN}
    return jobs


def measured(quick: bool, minutes: float, kept: Path) -> tuple[dict[str, Any], int]:
    """Measure what `kept` has not, until the minutes are over; all that there is, and how many are left."""
    jobs, began = queue(quick), perf_counter()
    done = json.loads(kept.read_text()) if kept.exists() else {}
    left = [name for name in jobs if name not in done]
    while left and perf_counter() - began < 60 * minutes:
        name = left.pop(0)
        done[name] = jobs[name]()
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(done, indent=1))
        print(f"{len(done)}/{len(jobs)}  {perf_counter() - began:4.0f} s  {name}: {done[name]}", flush=True)
    return done, len(left)


def tables(done: dict[str, Any], quick: bool) -> str:
    plane, space = (QUICK if quick else SIZES).values()
    columns = [*((f"{n}²", f" {n}") for n in plane), *((f"{n}³", f" {n}^3") for n in space)]

    def factors(names: Any) -> str:
        found = {name: [done.get(f"factor {name}{key}") for _, key in columns] for name in names}
        rows = [[name, *("-" if v is None else f"{v:.3f}" for v in values)] for name, values in found.items()]
        return report.table(["problem", *(title for title, _ in columns)], rows)

    sizes = [n for n in (63, 127, 255) if any(f"errors {name} {n}" in done for name in KNOWN)]
    rows = []
    for name in KNOWN:
        pairs = [done.get(f"errors {name} {n}") for n in sizes]
        ratios = ["-" if pair is None else f"{pair['pass'] / pair['discrete']:.2f}" for pair in pairs]
        found = [pair["discrete"] for pair in pairs if pair is not None]
        orders = [f"{np.log2(a / b):.2f}" for a, b in pairwise(found)]
        rows.append([name, *ratios, "-" if not found else f"{found[-1]:.1e}", ", ".join(orders) or "-"])
    n = 255 if quick else 2047
    speeds = [(how, done[f"speed {how}"]) for how in SPEEDS if f"speed {how}" in done]
    lines = [[how, f"{t['cpu']:.3f}", f"{t['wall']:.3f}", f"{n * n / t['cpu'] / 1e6:.1f}"] for how, t in speeds]
    folds = [[f"{k}²", f"{done[f'fold {k}']:.6f}", f"{v:.6f}"] for k, v in FOLDS.items() if f"fold {k}" in done]
    return "\n\n".join(
        [
            f"## Speed\n\nBratu's problem with Liouville's solution, {n}², one pass of full multigrid, one V-cycle per "
            "level; medians of 5, one thread, set-up and compilation apart.",
            report.table(["c(u)", "CPU, s", "wall, s", "million unknowns per CPU second"], lines),
            "## Factors of V(1,1)\n\nMeans of cycles 6 to 9, from a rough first guess.",
            factors(SEMILINEAR),
            factors(QUASILINEAR),
            "## One pass of full multigrid\n\nThe error against the discrete solution over that of the discrete "
            "solution, largest values; then the latter on the finest of these grids, and its order from each grid to "
            "the next. u = (x − x²) sin 3πy, 2 sin πx sin πy where a depends on u; or Liouville's solution.",
            report.table(["problem", *(f"{n}²" for n in sizes), "discretisation error", "order"], rows),
            "## Fold\n\nThe largest λ for which −Δu = λ exp(u) has a solution, by continuation (`examples/bratu.py`); "
            "the continuous problem has 6.808124.",
            report.table(["spacings", "λ", "five-point grid, expected"], folds),
        ]
    )


def main(quick: bool, minutes: float, anew: bool, folder: Path) -> None:
    kept = Path("out") / f"nonlinear{'_quick' if quick else ''}.json"
    if anew:
        kept.unlink(missing_ok=True)
    done, left = measured(quick, minutes, kept)
    note = f"\n\n{left} measurements are left for another run of the same command." if left else ""
    report.write("nonlinear", "Nonlinear problems", tables(done, quick) + note, folder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small grids")
    parser.add_argument("--minutes", type=float, default=7.5, help="begin no measurement after these (default 7.5)")
    parser.add_argument("--anew", action="store_true", help="measure again what is kept in out/")
    parser.add_argument("--output", type=Path, default=report.RESULTS, help="folder for the table")
    given = parser.parse_args()
    main(given.quick, given.minutes, given.anew, given.output)
