"""Lanes between float32 and float64."""

from __future__ import annotations

from typing import Any

from numba.core import types
from numba.extending import intrinsic

from pde.backends.numba.simd import Lanes


@intrinsic
def widened(typing_context: Any, lanes: Any) -> Any:
    """Convert lanes of float32 to float64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fpext(arguments[0], context.get_value_type(signature.return_type))

    return Lanes(types.float64, lanes.count)(lanes), generate


@intrinsic
def narrowed(typing_context: Any, lanes: Any) -> Any:
    """Convert lanes of float64 to float32."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fptrunc(arguments[0], context.get_value_type(signature.return_type))

    return Lanes(types.float32, lanes.count)(lanes), generate
