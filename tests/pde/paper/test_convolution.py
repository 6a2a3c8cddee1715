"""Convolutions with kernels that are not 3 x 3 are refused, not cut."""

import numpy as np
import pytest

from pde.paper.convolution import correlate, correlate_2, correlation_matrix, spread_2


@pytest.mark.parametrize("shape", [(5, 5), (1, 1), (3, 5), (2, 2), (7, 3)])
def test_kernels_of_other_sizes(shape):
    K, g = np.ones(shape), np.ones((7, 7))
    for call in (
        lambda: correlate(K, g),
        lambda: correlate_2(K, g),
        lambda: spread_2(K, g[:4, :4], (7, 7)),
        lambda: correlation_matrix(K, (7, 7)),
    ):
        with pytest.raises(ValueError, match="K must be a 3 x 3 kernel; got rows of "):
            call()
