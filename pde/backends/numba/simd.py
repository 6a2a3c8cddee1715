"""Lanes numbers of a row at a time. Arithmetic is written once, for one number and for LANES of them alike.

A loop over lanes has no remainder and needs no proof that rows are apart, which for short rows takes longer than the
arithmetic: it ends at the next whole LANES, and rows of the work space are padded to it.
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


class Lanes(types.Type):
    """The type of LANES numbers."""

    def __init__(self, number: Any) -> None:
        self.number = number
        super().__init__(name=f"Lanes({number})")


@register_model(Lanes)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Any) -> None:
        number = manager.lookup(lanes.number).get_value_type()
        super().__init__(manager, lanes, ir.VectorType(number, LANES))


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
        values = [value if isinstance(kind, Lanes) else _broadcast(builder, value) for value, kind in pairs]
        return getattr(builder, name)(*values)

    for kinds in ((Lanes, Lanes), (Lanes, types.Number), (types.Number, Lanes)):
        lower_builtin(function, *kinds)(lower)


def _broadcast(builder: Any, value: Any) -> Any:
    """Put a number into every lane."""
    empty = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
    first = builder.insert_element(empty, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, empty, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


for _names, _instruction in (("add iadd", "fadd"), ("sub", "fsub"), ("mul", "fmul"), ("truediv", "fdiv")):
    for _name in _names.split():
        _operation(getattr(operator, _name), _instruction)


def _address(context: Any, builder: Any, pointer: Any, count: int, address: Any, offset: Any) -> tuple[Any, int]:
    """Return the address of `count` numbers and its alignment."""
    number = context.get_value_type(pointer.dtype)
    address = builder.bitcast(builder.gep(address, [offset]), ir.VectorType(number, count).as_pointer())
    return address, context.get_abi_sizeof(number)


@intrinsic
def load(typing_context: Any, pointer: Any, offset: Any) -> Any:
    """Load LANES numbers from pointer[offset] on; None from None."""
    if isinstance(pointer, types.NoneType):
        return types.none(pointer, types.int64), lambda context, builder, signature, arguments: arguments[0]

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, align = _address(context, builder, pointer, LANES, *arguments)
        return builder.load(address, align=align)

    return Lanes(pointer.dtype)(pointer, types.int64), generate


@intrinsic
def store(typing_context: Any, pointer: Any, offset: Any, values: Any) -> Any:
    """Store LANES numbers, or one number LANES times, from pointer[offset] on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, align = _address(context, builder, pointer, LANES, *arguments[:2])
        value = arguments[2] if isinstance(values, Lanes) else _broadcast(builder, arguments[2])
        builder.store(value, address, align=align)
        return context.get_dummy_value()

    return types.void(pointer, types.int64, values if isinstance(values, Lanes) else pointer.dtype), generate


@intrinsic
def every_second(typing_context: Any, pointer: Any, offset: Any) -> Any:
    """Load 2 LANES numbers from pointer[offset] on: the first, third, ... and the second, fourth, ..."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, align = _address(context, builder, pointer, 2 * LANES, *arguments)
        both = builder.load(address, align=align)
        mask = ir.VectorType(ir.IntType(32), LANES)
        halves = [
            builder.shuffle_vector(both, both, ir.Constant(mask, list(range(first, 2 * LANES, 2)))) for first in (0, 1)
        ]
        return context.make_tuple(builder, signature.return_type, halves)

    return types.UniTuple(Lanes(pointer.dtype), 2)(pointer, types.int64), generate


@intrinsic
def store_alternating(typing_context: Any, pointer: Any, offset: Any, first: Any, second: Any) -> Any:
    """Store two vectors from pointer[offset] on, one number of each in turn."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, align = _address(context, builder, pointer, 2 * LANES, *arguments[:2])
        order = [lane + part * LANES for lane in range(LANES) for part in range(2)]
        mask = ir.Constant(ir.VectorType(ir.IntType(32), 2 * LANES), order)
        builder.store(builder.shuffle_vector(arguments[2], arguments[3], mask), address, align=align)
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

    return Lanes(like.dtype)(values, like), generate
