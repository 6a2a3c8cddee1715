"""Random examples for the tests that use hypothesis, for a given time: `make explore SECONDS=600 SEED=1`.

Round after round runs all of them with another seed. A seed says everything: what fails is printed with the command
that runs the same examples of that test again.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections.abc import Sequence

from tests.running import EXAMPLES, Outcome, environment, repeat, run, tell


def options(seed: int) -> tuple[str, ...]:
    """Options of pytest for random examples that follow from a seed."""
    return ("--hypothesis-profile=explore", f"--hypothesis-seed={seed}")


def explore(seed: int, seconds: float | None, tests: Sequence[str], jobs: str) -> Outcome:
    """Run a round with this seed."""
    chosen = options(seed)
    return run(
        [*EXAMPLES, *chosen, *tests],
        environment(),
        seconds,
        lambda test, text: tell(test, text, repeat(test, {}, *chosen)),
        jobs,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.explore", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, metavar="S", help="stop after this time (default: 600)")
    parser.add_argument("--seed", type=int, help="of the first round, the next ones count on (default: at random)")
    parser.add_argument("--rounds", type=int, default=10**9, metavar="N", help="stop after so many (default: by time)")
    parser.add_argument("--jobs", default="auto", metavar="N", help="processes (default: one per core)")
    parser.add_argument("tests", nargs="*", help="files, folders or ids of tests (default: all)")
    chosen = parser.parse_args(arguments)
    seed = secrets.randbelow(10**6) if chosen.seed is None else chosen.seed
    until, well, rounds = time.monotonic() + chosen.seconds, True, 0
    while rounds < chosen.rounds and (left := until - time.monotonic()) > 0:
        print(f"seed {seed}: ", end="", flush=True)
        outcome = explore(seed, left, chosen.tests, chosen.jobs)
        ended = "" if outcome.code is not None else ", stopped: the time is over"
        print(f"{outcome.passed} passed, {len(outcome.failed)} failed in {outcome.seconds:.0f} s{ended}", flush=True)
        if outcome.code not in (0, 1, None):
            print(outcome.output[-3000:])
            return 2
        well, seed, rounds = well and not outcome.failed, seed + 1, rounds + 1
    print(f"{rounds} rounds: {'all passed' if well else 'some failed, see above'}")
    return 0 if well else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("stopped")
