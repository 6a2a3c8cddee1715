"""Several numbers of a row at a time. Arithmetic is written once, for one number and for LANES of them alike.

A loop over lanes has no remainder and needs no proof that rows are apart, which for short rows takes longer than the
arithmetic: it ends at the next whole LANES, where rows of the work space have room.
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


class Several(types.Type):
    """The type of LANES numbers of one kind."""

    def __init__(self, number: Any) -> None:
        self.number = number
        super().__init__(name=f"Several({number})")


@register_model(Several)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, several: Any) -> None:
        number = manager.lookup(several.number).get_value_type()
        super().__init__(manager, several, ir.VectorType(number, LANES))


class _Arithmetic(AbstractTemplate):
    """Lanes with lanes, or with one number, which then has their kind."""

    def generic(self, arguments: Any, keywords: Any) -> Any:
        kinds = [each for each in arguments if isinstance(each, Several)]
        others = [each for each in arguments if not isinstance(each, Several)]
        if len(arguments) != 2 or not kinds or not all(isinstance(each, types.Number) for each in others):
            return None
        whole = kinds[0]
        return whole(*(each if isinstance(each, Several) else whole.number for each in arguments))


def _operation(function: Any, name: str) -> None:
    infer_global(function)(type(f"_{name}", (_Arithmetic,), {}))

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pairs = zip(arguments, signature.args, strict=True)
        values = [value if isinstance(kind, Several) else _all_alike(builder, value) for value, kind in pairs]
        return getattr(builder, name)(*values)

    for kinds in ((Several, Several), (Several, types.Number), (types.Number, Several)):
        lower_builtin(function, *kinds)(lower)


def _all_alike(builder: Any, value: Any) -> Any:
    """A number in every lane."""
    empty = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
    first = builder.insert_element(empty, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, empty, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


for _names, _instruction in (("add iadd", "fadd"), ("sub", "fsub"), ("mul", "fmul"), ("truediv", "fdiv")):
    for _name in _names.split():
        _operation(getattr(operator, _name), _instruction)


def _place(context: Any, builder: Any, pointer: Any, count: int, address: Any, offset: Any) -> tuple[Any, int]:
    """The address of `count` numbers, and how it is aligned."""
    number = context.get_value_type(pointer.dtype)
    place = builder.bitcast(builder.gep(address, [offset]), ir.VectorType(number, count).as_pointer())
    return place, context.get_abi_sizeof(number)


@intrinsic
def several(typing_context: Any, pointer: Any, offset: Any) -> Any:
    """The numbers from pointer[offset] on; None of None."""
    if isinstance(pointer, types.NoneType):
        return types.none(pointer, types.int64), lambda context, builder, signature, arguments: arguments[0]

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place, align = _place(context, builder, pointer, LANES, *arguments)
        return builder.load(place, align=align)

    return Several(pointer.dtype)(pointer, types.int64), generate


@intrinsic
def put(typing_context: Any, pointer: Any, offset: Any, values: Any) -> Any:
    """The numbers from pointer[offset] on <- values, or one value for all."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place, align = _place(context, builder, pointer, LANES, *arguments[:2])
        value = arguments[2] if isinstance(values, Several) else _all_alike(builder, arguments[2])
        builder.store(value, place, align=align)
        return context.get_dummy_value()

    return types.void(pointer, types.int64, values if isinstance(values, Several) else pointer.dtype), generate


@intrinsic
def every_second(typing_context: Any, pointer: Any, offset: Any) -> Any:
    """Of the 2 LANES numbers from pointer[offset] on: the first, third, ...; the second, fourth, ..."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place, align = _place(context, builder, pointer, 2 * LANES, *arguments)
        both = builder.load(place, align=align)
        mask = ir.VectorType(ir.IntType(32), LANES)
        halves = [
            builder.shuffle_vector(both, both, ir.Constant(mask, list(range(first, 2 * LANES, 2)))) for first in (0, 1)
        ]
        return context.make_tuple(builder, signature.return_type, halves)

    return types.UniTuple(Several(pointer.dtype), 2)(pointer, types.int64), generate


@intrinsic
def put_by_turns(typing_context: Any, pointer: Any, offset: Any, first: Any, second: Any) -> Any:
    """The 2 LANES numbers from pointer[offset] on <- by turns one of the first and one of the second lanes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place, align = _place(context, builder, pointer, 2 * LANES, *arguments[:2])
        turns = [lane + part * LANES for lane in range(LANES) for part in range(2)]
        mask = ir.Constant(ir.VectorType(ir.IntType(32), 2 * LANES), turns)
        builder.store(builder.shuffle_vector(arguments[2], arguments[3], mask), place, align=align)
        return context.get_dummy_value()

    return types.void(pointer, types.int64, first, second), generate
