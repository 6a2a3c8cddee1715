"""Try an installed mgnet-multigrid, from a folder outside the sources: python smoke.py pde | nets"""

import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path


def shell(*arguments: str) -> str:
    """The output of `python -m`; it ends where that fails."""
    print("python -m", *arguments)
    run = subprocess.run([sys.executable, "-m", *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return run.stdout


def is_installed(package) -> None:
    folder = Path(package.__file__).parent
    assert "site-packages" in folder.parts, folder
    assert (folder / "py.typed").exists()


def try_pde(folder: Path) -> None:
    """Solve in Python, on compiled kernels and from the shell."""
    import numpy as np

    import pde

    is_installed(pde)
    assert pde.__version__ == version("mgnet-multigrid")
    shell("pde", "compile", "--dims", "2", "--dtypes", "float64")
    problem = pde.Poisson((255, 254))
    plain, compiled = (pde.Multigrid(problem, kernels=kernels) for kernels in ("numpy", "numba"))
    one, other = (mg.solve(lambda x, y: np.exp(x * y), g=1.0) for mg in (plain, compiled))
    assert one.converged, one
    assert other.converged, other
    assert np.abs(one.u - other.u).max() < 1e-6 * np.abs(one.u).max()
    print(compiled, other.message, sep="\n")
    picture, values = folder / "u.png", folder / "u.npy"
    options = ("--shape", "63", "63", "--f", "exp(x*y)", "--plot", str(picture), "--output", str(values))
    assert "converged" in shell("pde", "solve", *options)
    assert picture.exists()
    assert np.load(values).shape == (63, 63)
    shell("pde", "predict", "--shape", "63", "63")


def try_nets(folder: Path) -> None:
    """Make a network, show the published tables, train for one epoch where scikit-learn is."""
    import torch

    import nets

    is_installed(nets)
    assert len(nets.list_models()) > 10
    model = nets.create_model("MgNet[2,2]-[16]-B^l").eval()
    print(model(torch.zeros(1, 3, 32, 32)).shape, nets.parameters(model))
    for command in ("list", "tables", "theorems"):
        assert shell("nets", command)
    assert "parameters" in shell("nets", "summary", "MgNet[2,2]-[16]-B^l")
    try:
        import sklearn  # noqa: F401
    except ImportError:
        return
    result = nets.train("MgNet[2,2]-[16]-B^l", "digits", epochs=1, seed=1, output=folder / "run")
    assert result.accuracy > 0.2  # a tenth by chance
    assert nets.load(folder / "run") is not None


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        {"pde": try_pde, "nets": try_nets}[sys.argv[1]](Path(name))
    print(f"{sys.argv[1]} works")
