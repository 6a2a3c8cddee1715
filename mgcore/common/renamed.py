"""Old import names of modules, kept for one version with a warning."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class _Renamed(MetaPathFinder, Loader):
    """Find the modules of `names` by their old names; each delegates to the new one."""

    def __init__(self, names: Mapping[str, str], until: str) -> None:
        self._names, self._until = names, until

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in self._names else None

    def exec_module(self, module: ModuleType) -> None:
        old, new = module.__name__, self._names[module.__name__]
        warnings.warn(f"{old} is {new} now; the old name goes in {self._until}", FutureWarning, stacklevel=2)
        found = import_module(new)
        module.__doc__ = found.__doc__
        vars(module)["__getattr__"] = lambda name: getattr(found, name)
        vars(module)["__dir__"] = lambda: dir(found)


def keep_old_names(names: Mapping[str, str], until: str) -> None:
    """Let `import old` and `from old import name` work for each old: new of `names`, with a FutureWarning.

    Args:
        until: the version that drops the old names, for the message.

    Example:
        >>> keep_old_names({"mgcore.loops": "mgcore.cycle"}, until="9.9")
        >>> import warnings
        >>> with warnings.catch_warnings(record=True) as told:
        ...     warnings.simplefilter("always")
        ...     from mgcore.loops import v_cycle
        >>> str(told[0].message)
        'mgcore.loops is mgcore.cycle now; the old name goes in 9.9'
    """
    sys.meta_path.append(_Renamed(names, until))
