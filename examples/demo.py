"""Both halves of the claim at work: a Poisson equation solved and an image classifier trained by the same functions.

python examples/demo.py [--output out]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path


def main(output: Path) -> None:
    began = time.perf_counter()
    print("Loading NumPy, SciPy and torch ...", flush=True)
    import poisson
    import reductions
    import seamless_cloning
    import train_digits

    parts = (
        ("1. Multigrid solves -Laplace u = f", lambda: poisson.run(output=output)),
        ("2. The solver edits a photograph: seamless cloning", lambda: seamless_cloning.run(output)),
        ("3. The same cycle with trained convolutions: MgNet reads digits", lambda: train_digits.run(output=output)),
        ("4. Why it is the same cycle: the reductions", reductions.run),
    )
    for title, part in parts:
        print(f"\n{title}\n{'=' * len(title)}", flush=True)
        part()
    print(f"\nAll four parts took {time.perf_counter() - began:.0f} s. Pictures:")
    for path in sorted(output.glob("*.png")):
        print(f"  {path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("out"), help="folder for the pictures (default out)")
    main(parser.parse_args().output)
