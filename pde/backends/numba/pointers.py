"""Pointers to numbers, with arithmetic as in C: rows of a work space without an array object for each of them."""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import intrinsic, lower_builtin


class _Arithmetic(AbstractTemplate):
    """pointer + k points k numbers further on; None + k is None."""

    def generic(self, arguments: Any, keywords: Any) -> Any:
        pointer, *count = arguments
        if len(count) != 1 or not isinstance(pointer, types.CPointer | types.NoneType):
            return None
        return pointer(pointer, types.int64) if isinstance(count[0], types.Integer) else None


def _add(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return builder.gep(arguments[0], [arguments[1]])


def _subtract(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return builder.gep(arguments[0], [builder.neg(arguments[1])])


for _operator, _lower in ((operator.add, _add), (operator.sub, _subtract)):
    infer_global(_operator)(type(f"_{_operator.__name__}", (_Arithmetic,), {}))
    lower_builtin(_operator, types.CPointer, types.Integer)(_lower)
    lower_builtin(_operator, types.NoneType, types.Integer)(lambda _, __, ___, arguments: arguments[0])


@intrinsic
def address_of(typing_context: Any, array: Any) -> Any:
    """Point to the first number of an array."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    return types.CPointer(array.dtype)(array), generate


@intrinsic
def pointer(typing_context: Any, like: Any, address: Any) -> Any:
    """Turn an integer into a pointer to numbers of the type that `like` points to."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[1], context.get_value_type(signature.return_type))

    return like(like, types.int64), generate


@intrinsic
def to_a_line(typing_context: Any, pointer: Any) -> Any:
    """Return how many numbers there are from a pointer to the next line of the cache; 2^62 where none begins one."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole, size = ir.IntType(64), pointer.dtype.bitwidth // 8
        rest = builder.and_(builder.neg(builder.ptrtoint(arguments[0], whole)), ir.Constant(whole, 63))
        fits = builder.icmp_unsigned("==", builder.and_(rest, ir.Constant(whole, size - 1)), ir.Constant(whole, 0))
        return builder.select(fits, builder.udiv(rest, ir.Constant(whole, size)), ir.Constant(whole, 1 << 62))

    return types.int64(pointer), generate


@intrinsic
def unless_none(typing_context: Any, is_3d: Any, address: Any) -> Any:
    """Return the address, or None where `is_3d` is None; decided when the kernel is compiled."""
    none = isinstance(is_3d, types.NoneType)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return arguments[0] if none else arguments[1]

    return (types.none if none else address)(is_3d, address), generate


@intrinsic
def write_through(typing_context: Any, pointer: Any, k: Any, value: Any) -> Any:
    """Set pointer[k] past the cache: a line that is only written is then not read before."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = context.cast(builder, arguments[2], signature.args[2], pointer.dtype)
        store = builder.store(number, builder.gep(arguments[0], [arguments[1]]))
        store.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)]))
        return context.get_dummy_value()

    return types.void(pointer, types.int64, value), generate


@intrinsic
def prefetch(typing_context: Any, pointer: Any, k: Any) -> Any:
    """Begin to bring the line of pointer[k] to the cache; any address will do."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole, byte = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, whole, whole, whole])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        address = builder.bitcast(builder.gep(arguments[0], [arguments[1]]), byte)
        to_read, near, data = (ir.Constant(whole, value) for value in (0, 2, 1))
        builder.call(function, [address, to_read, near, data])
        return context.get_dummy_value()

    return types.void(pointer, types.int64), generate
