"""The tests that depend on rounding, as other machines would run them: `make test-machines`.

Each configuration stands for a kind of machine: another BLAS kernel, another number of threads, NumPy or compiled
kernels without wide vectors, other random examples. Before its tests run, a process in the same environment says
whether the setting took effect; what this machine cannot do is left out, with the reason.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

from tests.explore import options
from tests.running import EXAMPLES, ROOT, environment, repeat, run, tell

NETS = ("tests/nets/theorems/test_theorems.py", "tests/nets/theorems/test_plain.py")
ROUNDING = ("tests/mgcore", "tests/pde", *NETS, "tests/test_across.py")
TEXT = ("command_*", "bad_*", "fourier_bad_input", "expression", "plot", "reports")  # of tests/pde: no rounding

PROBE = """
import json, sys
import numpy, scipy.linalg, torch
from numpy._core import _multiarray_umath as simd
from threadpoolctl import threadpool_info
pools = [p for p in threadpool_info() if p["user_api"] == "blas"]
def assembly():
    import numba
    @numba.njit
    def total(x):
        s = 0.0
        for v in x:
            s += v * v + numpy.sqrt(v)
        return s
    @numba.njit
    def squares(x, y):
        for i in range(len(x)):
            y[i] = x[i] * x[i]
    squares(numpy.ones(9), numpy.ones(9))
    return "".join(squares.inspect_asm().values())
print(json.dumps({
    "blas": [p.get("architecture") for p in pools if p["internal_api"] == "openblas"],
    "blas threads": [p["num_threads"] for p in pools],
    "torch threads": torch.get_num_threads(),
    "dispatched": list(simd.__cpu_dispatch__),
    "features": [name for name, there in simd.__cpu_features__.items() if there],
    "vectors": [name for name in ("zmm", "ymm") if "numba" in sys.argv and name in assembly()],
}))
"""
"""A process says what it runs on; with "numba" as its argument, also which registers compiled loops use."""


@dataclass(frozen=True)
class Configuration:
    """A kind of machine.

    Args:
        name: for `--only` and the table.
        changed: environment variables.
        lacks: from what a process says without them, why this machine cannot do it, or "".
        works: from what a process says with them, whether they took effect.
        tests: arguments of pytest.
    """

    name: str
    changed: Mapping[str, str]
    lacks: Callable[[dict], str] = lambda here: ""
    works: Callable[[dict], bool] = lambda there: True
    tests: Sequence[str] = ()


def blas(core: str, feature: str) -> Configuration:
    """Another processor's kernels in OpenBLAS."""

    def lacks(here: dict) -> str:
        if not here["blas"]:
            return "NumPy does not use OpenBLAS here"
        return "" if feature in here["features"] else f"this processor has no {feature}"

    return Configuration(
        f"OpenBLAS {core}", {"OPENBLAS_CORETYPE": core}, lacks, lambda there: set(there["blas"]) == {core}
    )


def threads(count: int) -> Configuration:
    """So many threads for BLAS and torch."""
    return Configuration(
        f"{count} thread{'s' * (count > 1)}",
        {"OMP_NUM_THREADS": str(count), "OPENBLAS_NUM_THREADS": str(count)},
        works=lambda there: there["torch threads"] == count and max(there["blas threads"], default=0) <= count,
    )


def narrow(here: dict) -> Configuration:
    """NumPy without the vector instructions that it chooses when it starts."""
    names = [name for name in here["dispatched"] if name in here["features"]]
    return Configuration(
        "NumPy without wide vectors",
        {"NPY_DISABLE_CPU_FEATURES": " ".join(names)},
        lambda here: "" if names else "NumPy chooses no wider vectors on this processor",
        lambda there: not set(names) & set(there["features"]),
    )


def kernels(cpu: str, features: str, unused: Sequence[str], needed: str = "") -> Configuration:
    """Kernels compiled for another processor, in a cache of their own."""
    changed = {
        "NUMBA_CPU_NAME": cpu,
        "NUMBA_CPU_FEATURES": features,
        "NUMBA_CACHE_DIR": str(ROOT / "build" / "kernels" / cpu),
    }

    def lacks(here: dict) -> str:
        return "" if not needed or needed in here["features"] else f"this processor has no {needed}"

    return Configuration(f"kernels for {cpu}", changed, lacks, lambda there: not set(unused) & set(there["vectors"]))


def configurations(here: dict) -> list[Configuration]:
    """All of them, from what a process says as things are."""
    return [
        blas("Haswell", "AVX2"),
        blas("SkylakeX", "AVX512F"),
        threads(1),
        threads(2),
        narrow(here),
        kernels("generic", "", ["ymm", "zmm"]),
        kernels("haswell", "+avx2,+fma,+bmi,+bmi2,+f16c,+lzcnt,+popcnt,+movbe", ["zmm"], "AVX2"),
        *(Configuration(f"seed {seed}", {}, tests=[*EXAMPLES, *options(seed), "tests"]) for seed in range(1, 7)),
    ]


def probe(changed: Mapping[str, str]) -> dict:
    """Say what a process with these variables runs on."""
    words = [sys.executable, "-c", PROBE, *(["numba"] if "NUMBA_CPU_NAME" in changed else [])]
    done = subprocess.run(words, env=environment(**changed), cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"the settings {dict(changed)} break a process:\n{done.stderr}")
    return json.loads(done.stdout)


def rounding() -> list[str]:
    """Arguments of pytest for the tests whose results depend on rounding."""
    return [*ROUNDING, *(f"--ignore-glob=*/tests/pde/*test_{name}.py" for name in TEXT)]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.machines", description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="configurations by name; * and ? match; repeat")
    parser.add_argument("--list", action="store_true", help="print the configurations and stop")
    parser.add_argument("--jobs", default="auto", metavar="N", help="processes of each (default: one per core)")
    parser.add_argument("tests", nargs="*", help="other tests than all those that depend on rounding")
    chosen = parser.parse_args(arguments)
    here = probe({})
    every = configurations(here)
    wanted = [c for c in every if not chosen.only or any(fnmatch(c.name.lower(), n.lower()) for n in chosen.only)]
    if not wanted:
        parser.error(f"--only: no configuration has that name; they are {', '.join(c.name for c in every)}")
    if chosen.list:
        for configuration in wanted:
            settings = " ".join(f"{k}={v!r}" for k, v in configuration.changed.items())
            print(f"{configuration.name:28} {configuration.lacks(here) or settings}")
        return 0
    print(f"{'configuration':28} {'passed':>7} {'failed':>7} {'seconds':>8}", flush=True)
    well = [one(configuration, here, chosen.tests, chosen.jobs) for configuration in wanted]
    return 0 if all(well) else 1


def one(configuration: Configuration, here: dict, tests: Sequence[str], jobs: str) -> bool:
    """Run one configuration and print its row; whether nothing failed."""
    name, changed = configuration.name, configuration.changed
    if reason := configuration.lacks(here):
        print(f"{name:28} left out: {reason}", flush=True)
        return True
    there = probe(changed)
    if not configuration.works(there):
        print(f"{name:28} its setting had no effect: {dict(changed)} gives {there}", flush=True)
        return False
    own = list(configuration.tests[:-1]) if configuration.tests else []
    arguments = [*own, *(tests or configuration.tests[-1:] or rounding())]
    result = run(
        arguments,
        environment(**changed),
        failed=lambda test, text: tell(test, text, repeat(test, changed, *(w for w in own if "hypothesis-" in w))),
        jobs=jobs,
    )
    print(f"{name:28} {result.passed:7} {len(result.failed):7} {result.seconds:8.0f}", flush=True)
    if result.code not in (0, 1):
        print(result.output[-3000:], flush=True)
    return result.code == 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped")
