"""Every public name of the packages has an example in its docstring that runs by itself and prints what it says."""

import doctest
import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

PACKAGES = ("mgcore", "pde", "nets")
BESIDE = (
    "pde.analysis.fourier.Analysis",
    "pde.paper.section5.section5_levels",
    "pde.paper.convolution",
    "pde.plot",
    "nets.theorems",
)
"""Public names in modules of their own; the names of the module are there too."""


def documented(package: str) -> list[str]:
    """The public functions, classes and modules; constants have no docstring of their own."""
    module = importlib.import_module(package)
    values = {name: getattr(module, name) for name in module.__all__}
    return [name for name, value in values.items() if callable(value) or isinstance(value, ModuleType)]


def run_examples(name: str, documented: object, names: dict[str, object]) -> None:
    test = doctest.DocTestParser().get_doctest(inspect.getdoc(documented) or "", names, name, None, None)
    assert test.examples, f"{name} has no example"
    report: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=report.append)
    assert result.failed == 0, "".join(report)


@pytest.mark.parametrize(("package", "name"), [(p, name) for p in PACKAGES for name in documented(p)])
def test_example_in_the_docstring(package, name):
    """The package and its public names are there, as after `import package` and `from package import *`."""
    module = importlib.import_module(package)
    names = {key: getattr(module, key) for key in module.__all__} | {package: module}
    run_examples(f"{package}.{name}", names[name], names)


@pytest.mark.parametrize("name", BESIDE)
def test_example_of_a_public_name_in_a_module_of_its_own(name):
    import pde

    found = pkgutil.resolve_name(name)
    module = inspect.getmodule(found)
    run_examples(name, found, vars(module) | {"pde": pde})
