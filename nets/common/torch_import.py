"""Import torch, or say how to install it; `nets` imports this module before any other."""

import sys

MESSAGE = "nets needs torch: pip install 'mgnet-multigrid[torch]'"

try:
    import torch  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    if sys.argv[:1] == ["-m"]:  # `python -m nets` imports the package before nets.__main__, and would print a traceback
        print(f"python -m nets: error: {MESSAGE}", file=sys.stderr)
        raise SystemExit(2) from None
    raise ImportError(MESSAGE, name="torch") from None
