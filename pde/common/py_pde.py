"""Notice py-pde, another package that imports as `pde`, and say so."""

import sys
import warnings
from pathlib import Path

NAMES = """
AllenCahnPDE CahnHilliardPDE CartesianGrid CylindricalSymGrid DiffusionPDE ExplicitSolver FieldCollection FileStorage
KPZInterfacePDE KleinGordonPDE KuramotoSivashinskyPDE MemoryStorage PDE PDEBase PlotTracker PolarSymGrid
ReactionDiffusionPDE ScalarField SphericalSymGrid SwiftHohenbergPDE Tensor2Field UnitGrid VectorField WavePDE
fields grids movie pdes plot_kymograph solve_laplace_equation solve_poisson_equation solvers storage tools trackers
visualization
"""
"""Its public names that this package has not."""
ADVICE = "install only one of py-pde and mgnet-multigrid in an environment"


def hint(name: str) -> str:
    """The end of the message for an attribute that `pde` has not: which package has it, where that is py-pde."""
    return f"; this is the pde of mgnet-multigrid, and {name} is in py-pde: {ADVICE}" if name in NAMES.split() else ""


def check(module: str, folder: Path) -> None:
    """Warn where files of py-pde lie in the folder of this package, and raise where they have replaced its own.

    Raises:
        ImportError: `module` is py-pde's.
    """
    if (folder / "pdes").is_dir():
        if "py-pde" in (sys.modules[module].__doc__ or ""):
            raise ImportError(f"py-pde was installed over the pde of mgnet-multigrid: {ADVICE}")
        warnings.warn(f"py-pde is installed in the same folder as the pde of mgnet-multigrid: {ADVICE}", stacklevel=2)


check("pde", Path(__file__).parent.parent)
