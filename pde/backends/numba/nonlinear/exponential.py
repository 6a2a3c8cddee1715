"""exp of an array, in vectors: NumPy computes one number after the other on processors without AVX-512."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from pde.backends.numba.jit import called, fused
from pde.backends.numba.pointers import address_of

TERMS = tuple(1 / math.factorial(k) for k in range(13))
"""Of the Taylor series: |r| <= log(2)/2 leaves r^13/13! = 1.7e-16."""

HIGH = 6.93145751953125e-1
"""log(2) to 21 bits: its products with whole numbers up to 2^11 are exact."""

LOW = 1.42860682030941723212e-6


SHIFT = 1.5 * 2.0**52
"""A number with this added has its whole part in the last bits."""


@intrinsic
def _two_to(typing_context: Any, shifted: Any) -> Any:
    """Return 2^k from k + SHIFT, for k between -1022 and 1023."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = ir.IntType(64)
        k = builder.bitcast(arguments[0], whole)
        bits = builder.shl(builder.add(k, ir.Constant(whole, 1023)), ir.Constant(whole, 52))
        return builder.bitcast(bits, ir.DoubleType())

    return types.float64(types.float64), generate


@fused
def _compute(to, of, count):
    for j in range(count):
        x = of[j]
        v = x if x > -708.0 else -708.0
        v = v if v < 709.0 else 709.0
        shifted = v * 1.4426950408889634 + SHIFT
        k = shifted - SHIFT
        r = (v - k * HIGH) - k * LOW
        p = TERMS[12]
        for m in range(11, -1, -1):
            p = p * r + TERMS[m]
        p *= _two_to(shifted)
        p = math.inf if x > 709.0 else p
        p = 0.0 if x < -708.0 else p
        to[j] = x if x != x else p


@called
def _exp(result, x):
    _compute(address_of(result), address_of(x), result.size)


def exp(x: Any) -> Any:
    """exp to two units in the last place, 0 below -708 and infinite above 709; NumPy's for float32 and views."""
    if type(x) is not np.ndarray or x.dtype != np.float64 or not x.flags.c_contiguous:
        return np.exp(x)
    result = np.empty_like(x)
    _exp(result, x)
    return result
