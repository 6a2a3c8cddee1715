"""Parameters of the tests of the loop: libraries, forms and cycles."""

import pytest

from mgcore import CYCLES, residual_form
from tests.helpers import BACKENDS

every_backend = pytest.mark.parametrize("backend", list(BACKENDS))
every_form = pytest.mark.parametrize("form", [list, residual_form], ids=["feature", "residual"])
every_cycle = pytest.mark.parametrize("cycle", list(CYCLES.values()), ids=list(CYCLES))
