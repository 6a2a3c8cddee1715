"""Addresses inside arrays: rows of a work space without the cost of an array object for each of them."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from pde.backends.numba.jit import inline


@intrinsic
def at(typing_context: Any, array: Any, offset: Any) -> Any:
    """The address of the number at `offset` in a one-dimensional array."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        base = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.gep(base.data, [arguments[1]])

    return types.CPointer(array.dtype)(array, types.int64), generate


@intrinsic
def ahead(typing_context: Any, pointer: Any, offset: Any) -> Any:
    """The address so many numbers further on; None stays None."""
    if isinstance(pointer, types.NoneType):
        return types.none(pointer, types.int64), lambda context, builder, signature, arguments: arguments[0]

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.gep(arguments[0], [arguments[1]])

    return pointer(pointer, types.int64), generate


@intrinsic
def pointer(typing_context: Any, like: Any, address: Any) -> Any:
    """A number as an address of numbers like those of an array."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[1], context.get_value_type(signature.return_type))

    return types.CPointer(like.dtype)(like, types.int64), generate


@intrinsic
def unless_none(typing_context: Any, deep: Any, address: Any) -> Any:
    """The address, or None where `deep` is None; decided when the kernel is compiled."""
    none = isinstance(deep, types.NoneType)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return arguments[0] if none else arguments[1]

    return (types.none if none else address)(deep, address), generate


@intrinsic
def write_through(typing_context: Any, pointer: Any, offset: Any, value: Any) -> Any:
    """pointer[offset] <- value, not by way of the cache: a line that is only written is then not read before."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = context.cast(builder, arguments[2], signature.args[2], pointer.dtype)
        store = builder.store(number, builder.gep(arguments[0], [arguments[1]]))
        store.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)]))
        return context.get_dummy_value()

    return types.void(pointer, types.int64, value), generate


@intrinsic
def fetch(typing_context: Any, pointer: Any, offset: Any) -> Any:
    """Begin to bring the line of pointer[offset] to the cache; any address will do."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole, byte = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, whole, whole, whole])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        address = builder.bitcast(builder.gep(arguments[0], [arguments[1]]), byte)
        to_read, near, data = (ir.Constant(whole, value) for value in (0, 2, 1))
        builder.call(prefetch, [address, to_read, near, data])
        return context.get_dummy_value()

    return types.void(pointer, types.int64), generate


@inline
def fetch_both(coming, k):
    """Bring lines that are needed soon to the cache: the arithmetic of a row has half as many points as a row."""
    fetch(coming[0], 2 * k)
    fetch(coming[1], 2 * k)
