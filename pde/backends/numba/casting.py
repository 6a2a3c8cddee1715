"""Lanes between float32 and float64, and lanes that are written past the cache."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
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


@intrinsic
def write_lanes_through(typing_context: Any, pointer: Any, k: Any, lanes: Any) -> Any:
    """Store lanes from pointer[k] on past the cache; that address is a multiple of their size."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = context.get_value_type(lanes)
        address = builder.bitcast(builder.gep(arguments[0], [arguments[1]]), kind.as_pointer())
        store = builder.store(arguments[2], address, align=lanes.count * context.get_abi_sizeof(kind.element))
        store.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)]))
        return context.get_dummy_value()

    return types.void(pointer, types.int64, lanes), generate
