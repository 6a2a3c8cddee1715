"""A vector of numbers of a row at a time. Arithmetic is written once, for one number and for a vector alike.

A vector has 64 bytes: eight numbers of float64, sixteen of float32. A loop over vectors has no remainder and needs no
proof that rows are apart, which for short rows takes longer than the arithmetic: it ends at the next whole vector, and
rows of the work space are padded to it.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.datamodel import models
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import intrinsic, lower_builtin, register_model

LANES = 8
"""Numbers in a vector of either type where these must be as many: members of a batch, float32 beside float64."""

MOST = 16
"""Numbers in the vectors with most of them, those of float32: rows are padded to these."""

BITS = 512
"""Of the vectors that `load` returns."""


class Lanes(types.Type):
    """The type of a vector of `count` numbers."""

    def __init__(self, number: Any, count: int = 0) -> None:
        self.number, self.count = number, count or BITS // number.bitwidth
        super().__init__(name=f"Lanes({number}, {self.count})")


@register_model(Lanes)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Any) -> None:
        number = manager.lookup(lanes.number).get_value_type()
        super().__init__(manager, lanes, ir.VectorType(number, lanes.count))


class _Arithmetic(AbstractTemplate):
    """Arithmetic of two vectors, or of a vector and one number, which is cast to its type."""

    def generic(self, arguments: Any, keywords: Any) -> Any:
        kinds = [each for each in arguments if isinstance(each, Lanes)]
        others = [each for each in arguments if not isinstance(each, Lanes)]
        if len(arguments) != 2 or not kinds or not all(isinstance(each, types.Number) for each in others):
            return None
        whole = kinds[0]
        return whole(*(each if isinstance(each, Lanes) else whole.number for each in arguments))


def _operation(function: Any, name: str) -> None:
    infer_global(function)(type(f"_{name}", (_Arithmetic,), {}))

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pairs = zip(arguments, signature.args, strict=True)
        count = signature.return_type.count
        values = [value if isinstance(kind, Lanes) else _broadcast(builder, value, count) for value, kind in pairs]
        return getattr(builder, name)(*values)

    for kinds in ((Lanes, Lanes), (Lanes, types.Number), (types.Number, Lanes)):
        lower_builtin(function, *kinds)(lower)


def _broadcast(builder: Any, value: Any, count: int) -> Any:
    """Put a number into every lane."""
    empty = ir.Constant(ir.VectorType(value.type, count), ir.Undefined)
    first = builder.insert_element(empty, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, empty, ir.Constant(ir.VectorType(ir.IntType(32), count), [0] * count))


for _names, _instruction in (("add iadd", "fadd"), ("sub", "fsub"), ("mul", "fmul"), ("truediv", "fdiv")):
    for _name in _names.split():
        _operation(getattr(operator, _name), _instruction)


def _address(context: Any, builder: Any, pointer: Any, count: int, address: Any, offset: Any) -> tuple[Any, int]:
    """Return the address of `count` numbers and its alignment."""
    number = context.get_value_type(pointer.dtype)
    address = builder.bitcast(builder.gep(address, [offset]), ir.VectorType(number, count).as_pointer())
    return address, context.get_abi_sizeof(number)


@intrinsic
def lanes(typing_context: Any, pointer: Any) -> Any:
    """Return how many numbers `load` takes from a pointer at a time: a constant for its type."""
    count = ir.Constant(ir.IntType(64), BITS // pointer.dtype.bitwidth)
    return types.int64(pointer), lambda context, builder, signature, arguments: count


def _load(pointer: Any, count: int) -> Any:
    if isinstance(pointer, types.NoneType):
        return types.none(pointer, types.int64), lambda context, builder, signature, arguments: arguments[0]
    kind = Lanes(pointer.dtype, count)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, align = _address(context, builder, pointer, kind.count, *arguments)
        return builder.load(address, align=align)

    return kind(pointer, types.int64), generate


def _store(pointer: Any, values: Any, count: int) -> Any:
    many = isinstance(values, Lanes)
    count = values.count if many else count or BITS // pointer.dtype.bitwidth

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, align = _address(context, builder, pointer, count, *arguments[:2])
        builder.store(arguments[2] if many else _broadcast(builder, arguments[2], count), address, align=align)
        return context.get_dummy_value()

    return types.void(pointer, types.int64, values if many else pointer.dtype), generate


@intrinsic
def load(typing_context: Any, pointer: Any, offset: Any) -> Any:
    """Load a vector from pointer[offset] on; None from None."""
    return _load(pointer, 0)


@intrinsic
def store(typing_context: Any, pointer: Any, offset: Any, values: Any) -> Any:
    """Store a vector, or one number as often, from pointer[offset] on."""
    return _store(pointer, values, 0)


@intrinsic
def load_eight(typing_context: Any, pointer: Any, offset: Any) -> Any:
    """Load LANES numbers of either type from pointer[offset] on; None from None."""
    return _load(pointer, LANES)


@intrinsic
def store_eight(typing_context: Any, pointer: Any, offset: Any, values: Any) -> Any:
    """Store LANES numbers, or one number LANES times, from pointer[offset] on."""
    return _store(pointer, values, LANES)


@intrinsic
def every_second(typing_context: Any, pointer: Any, offset: Any) -> Any:
    """Load two vectors from pointer[offset] on: the first, third, ... and the second, fourth, ... number."""
    count = BITS // pointer.dtype.bitwidth

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, align = _address(context, builder, pointer, 2 * count, *arguments)
        both = builder.load(address, align=align)
        mask = ir.VectorType(ir.IntType(32), count)
        halves = [
            builder.shuffle_vector(both, both, ir.Constant(mask, list(range(first, 2 * count, 2)))) for first in (0, 1)
        ]
        return context.make_tuple(builder, signature.return_type, halves)

    return types.UniTuple(Lanes(pointer.dtype), 2)(pointer, types.int64), generate


def _past_the_cache(builder: Any, values: Any, address: Any, align: int) -> None:
    store = builder.store(values, address, align=align)
    store.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(ir.IntType(32), 1)]))


@intrinsic
def write_lanes_through(typing_context: Any, pointer: Any, k: Any, values: Any) -> Any:
    """Store a vector from pointer[k] on past the cache; that address is a multiple of its size."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, size = _address(context, builder, pointer, values.count, *arguments[:2])
        _past_the_cache(builder, arguments[2], address, values.count * size)
        return context.get_dummy_value()

    return types.void(pointer, types.int64, values), generate


def _alternating(builder: Any, first: Any, second: Any, count: int) -> Any:
    order = [lane + part * count for lane in range(count) for part in range(2)]
    return builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(ir.IntType(32), 2 * count), order))


@intrinsic
def store_alternating(typing_context: Any, pointer: Any, offset: Any, first: Any, second: Any) -> Any:
    """Store two vectors from pointer[offset] on, one number of each in turn."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, align = _address(context, builder, pointer, 2 * first.count, *arguments[:2])
        builder.store(_alternating(builder, arguments[2], arguments[3], first.count), address, align=align)
        return context.get_dummy_value()

    return types.void(pointer, types.int64, first, second), generate


@intrinsic
def write_alternating_through(typing_context: Any, pointer: Any, offset: Any, first: Any, second: Any) -> Any:
    """The same past the cache; that address is a multiple of the size of one vector."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, size = _address(context, builder, pointer, 2 * first.count, *arguments[:2])
        both = _alternating(builder, arguments[2], arguments[3], first.count)
        _past_the_cache(builder, both, address, first.count * size)
        return context.get_dummy_value()

    return types.void(pointer, types.int64, first, second), generate


@intrinsic
def converted(typing_context: Any, values: Any, like: Any) -> Any:
    """Convert a vector to numbers of the type that `like` points to."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if values.number == like.dtype:
            return arguments[0]
        change = builder.fpext if like.dtype.bitwidth > values.number.bitwidth else builder.fptrunc
        return change(arguments[0], context.get_value_type(signature.return_type))

    return Lanes(like.dtype, values.count)(values, like), generate
