"""Build sdist and wheel, compare them with the sources, install the wheel outside the tree and try it: python wheel.py

Needs `build`. First without torch, which pde needs not, then with the extra `torch`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PACKAGES = ("mgcore", "nets", "pde")
EXTRAS = {"pde": "", "nets": "[torch]"}


def run(*command: object, **options) -> None:
    print("$", *command, flush=True)
    subprocess.run([str(word) for word in command], check=True, **options)


def sources() -> set[str]:
    """All files of the packages."""
    files = (path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file())
    return {path.relative_to(ROOT).as_posix() for path in files if path.suffix != ".pyc" and not cached(path)}


def cached(path: Path) -> bool:
    """Whether a file was made by running the code."""
    return "__pycache__" in path.parts


def compare(wheel: Path, sdist: Path) -> None:
    """End where a file of a package is missing, or a foreign one was taken along."""
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert inside == sources(), sorted(inside ^ sources())
    with tarfile.open(sdist) as archive:
        shipped = {name.partition("/")[2] for name in archive.getnames()}
    assert sources() <= shipped, sorted(sources() - shipped)
    assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "tests/conftest.py"} <= shipped
    print(f"{wheel.name}: {len(inside)} files, those of the sources")


def environment(folder: Path) -> Path:
    """The interpreter of a new environment."""
    run(sys.executable, "-m", "venv", folder)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--borrow", type=Path, help="site-packages with the dependencies, which are not installed then")
    parser.add_argument("--parts", nargs="+", choices=EXTRAS, default=list(EXTRAS), help="what to try (both)")
    options = parser.parse_args()
    borrowed = options.borrow
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
        (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
        compare(wheel, sdist)
        python = environment(folder / "environment")
        around = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "kernels")}
        around.pop("PYTHONPATH", None)
        for part in options.parts:
            target = f"mgnet-multigrid{EXTRAS[part]} @ {wheel.as_uri()}"
            run(python, "-m", "pip", "install", *(["--no-deps"] if borrowed else []), target)
            if borrowed:
                sites = next((folder / "environment").rglob("site-packages"))
                (sites / "borrowed.pth").write_text(str(borrowed), encoding="utf-8")
            run(python, HERE / "smoke.py", part, cwd=folder, env=around)


if __name__ == "__main__":
    main()
