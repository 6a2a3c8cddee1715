"""What tests of the loop are run on: libraries, forms and cycles."""

import pytest

from mgcore import backslash_cycle, f_cycle, residual_form, v_cycle, w_cycle
from tests.helpers import BACKENDS

every_backend = pytest.mark.parametrize("backend", list(BACKENDS))
every_form = pytest.mark.parametrize("form", [list, residual_form], ids=["feature", "residual"])
CYCLES = {"backslash": backslash_cycle, "V": v_cycle, "W": w_cycle, "F": f_cycle}
every_cycle = pytest.mark.parametrize("cycle", list(CYCLES.values()), ids=list(CYCLES))
