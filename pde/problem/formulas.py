"""Formulas as calls of NumPy, each made once for a value and its derivative, which is made from the parsed formula."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from typing import Any

import numpy as np

from pde.problem.expression import CONSTANTS, FUNCTIONS, OPERATORS, Expression, operands_of
from pde.problem.grid import Array

MOST_FACTORS = 16
"""Powers with whole or half exponents up to this are products and roots, which take a tenth of the time."""

LEAST = 1e-30
"""Divisors of derivatives at least: those of u**1.5 and sqrt(u**2) at 0 are 0, and not 0 times infinity."""

RULES: dict[Callable[..., Any], tuple[str, ...]] = {
    **{np.add: ("1", "1"), np.subtract: ("1", "-1"), np.multiply: ("b", "a"), np.divide: ("1/b", "-v/b")},
    **{np.negative: ("-1",), np.positive: ("1",), np.abs: ("sign(a)",), np.sqrt: (f"0.5/maximum(v, {LEAST})",)},
    np.cbrt: (f"1/(3*maximum(v**2, {LEAST}))",),
    np.power: ("b*where(a == 0, 0**maximum(b - 1, 0), a**(b - 1))", "where(v == 0, 0, v*log(a))"),
    **{np.exp: ("v",), np.exp2: (f"{np.log(2)}*v",), np.expm1: ("v + 1",)},
    **{
        np.log: ("1/a",),
        np.log2: (f"{1 / np.log(2)}/a",),
        np.log10: (f"{1 / np.log(10)}/a",),
        np.log1p: ("1/(1 + a)",),
    },
    **{np.sin: ("cos(a)",), np.cos: ("-sin(a)",), np.tan: ("1 + v**2",)},
    **{np.sinh: ("cosh(a)",), np.cosh: ("sinh(a)",), np.tanh: ("1 - v**2",)},
    **{np.arcsin: ("1/sqrt(1 - a**2)",), np.arccos: ("-1/sqrt(1 - a**2)",), np.arctan: ("1/(1 + a**2)",)},
    **{np.arcsinh: ("1/sqrt(a**2 + 1)",), np.arccosh: ("1/sqrt(a**2 - 1)",), np.arctanh: ("1/(1 - a**2)",)},
    **{np.hypot: (f"a/maximum(v, {LEAST})", f"b/maximum(v, {LEAST})")},
    **{np.arctan2: ("b/(a**2 + b**2)", "-a/(a**2 + b**2)"), np.mod: ("1", "-floor(a/b)")},
}
"""The derivatives of v = function(a, b) with respect to a and b; those of other functions, such as floor, are 0."""

CHOICES = {np.where: "a", np.minimum: "a < b", np.maximum: "a > b"}
"""When functions take the last operand but one instead of the last: derivatives are chosen in the same way."""


class Formula:
    """A formula of u and the coordinates, with its derivative with respect to u.

    Args:
        text, names, label: as of `Expression`; the first name is u.
        others: functions in the place of NumPy's.

    Raises:
        ExpressionError: naming the offending piece.

    >>> values, slopes = Formula("u**3 - x*exp(u)", ("u", "x"), "reaction").with_slope(np.array([0.0, 1.0]), 2.0)
    >>> slopes.round(3).tolist()
    [-2.0, -2.437]
    """

    def __init__(self, text: str, names: Sequence[str], label: str, others: Mapping[Any, Any] | None = None) -> None:
        self.text, self._given, calls = text, (text, names, label), _Calls()
        named = {**{name: calls.number(name) for name in names}, **{k: calls.number(v) for k, v in CONSTANTS.items()}}
        value = calls.read(Expression(text, names, label).tree, named)
        slope, self._others = calls.derivative(value, named[names[0]]), others or {}
        self._values, self._both = (calls.program(names, v, self._others) for v in ((value,), (value, slope)))

    def __repr__(self) -> str:
        return repr(self.text)

    def __reduce__(self) -> Any:
        return Formula, (*self._given, self._others)

    def using(self, others: Mapping[Any, Callable[..., Any]]) -> Formula:
        """The same with other functions in the place of NumPy's."""
        return Formula(*self._given, others)

    def __call__(self, u: Array, *points: Array) -> Any:
        return self._values(u, *points)[0]

    def with_slope(self, u: Array, *points: Array) -> tuple[Any, Any]:
        """The values and the derivatives."""
        values, slopes = self._both(u, *points)
        return values, slopes


class _Calls:
    """Calls of functions, each of them once: (function, numbers of its operands); names and constants have none."""

    def __init__(self) -> None:
        self._calls: list[tuple[Any, tuple[int, ...]]] = []
        self._numbers: dict[Any, int] = {}

    def number(self, function: Any, *operands: int) -> int:
        """The number of a call, of a name or of a constant; what is known without u is computed now."""
        simpler = self._simplified(function, operands) if operands else None
        if simpler is not None:
            return simpler
        call = (function if isinstance(function, str) or operands else float(function), operands)
        if call not in self._numbers:
            self._numbers[call] = len(self._calls)
            self._calls.append(call)
        return self._numbers[call]

    def read(self, node: ast.expr, named: Mapping[str, int]) -> int:
        """The number of the value of a checked tree, whose names have these numbers. Conditions are 1 or 0."""
        operands = [self.read(child, named) for child in operands_of(node)]
        match node:
            case ast.Constant():
                return self.number(node.value)
            case ast.Name():
                return named[node.id]
            case ast.Call():
                return self.number(FUNCTIONS[node.func.id][0], *operands)  # type: ignore[attr-defined]
            case ast.Compare():
                pairs = zip(node.ops, operands[:-1], operands[1:], strict=True)
                holds = [self.number(OPERATORS[type(op)], *pair) for op, *pair in pairs]
                return self._condition(reduce(partial(self.number, np.logical_and), holds))
            case ast.BoolOp():
                return self._condition(reduce(partial(self.number, OPERATORS[type(node.op)]), operands))
        function = OPERATORS[type(node.op)]  # type: ignore[attr-defined]
        result = self.number(function, *operands)
        return self._condition(result) if function is np.logical_not else result

    def derivative(self, of: int, u: int) -> int:
        """The number of the derivative of a call with respect to the name of that number."""
        zero, one = self.number(0.0), self.number(1.0)
        found: dict[int, int] = {}
        for v in range(of + 1):  # operands come first
            function, operands = self._calls[v]
            found[v] = one if v == u else zero
            if function in CHOICES and any(found[k] != zero for k in operands):
                condition = self._read_rule(CHOICES[function], v, operands)
                found[v] = self.number(np.where, condition, found[operands[-2]], found[operands[-1]])
                continue
            for rule, k in zip(RULES.get(function, ()), operands, strict=False):
                if found[k] != zero:
                    term = self.number(np.multiply, self._read_rule(rule, v, operands), found[k])
                    found[v] = self.number(np.add, found[v], term)
        return found[of]

    def program(
        self, names: Sequence[str], results: Sequence[int], others: Mapping[Any, Any]
    ) -> Callable[..., list[Any]]:
        """A function of these names that returns the values of these calls, by `others` in the place of functions."""
        last: dict[int, int] = {}  # the call after which a value is not needed
        for v in sorted(range(len(self._calls)), reverse=True):
            if v in last or v in results:
                for k in self._calls[v][1]:
                    last.setdefault(k, v)
        calls = [(v, *self._calls[v]) for v in sorted({*last, *results})]
        steps = [(v, others.get(function, function), operands) for v, function, operands in calls]
        over = {v: [k for k, after in last.items() if after == v and k not in results] for v, *_ in steps}

        def run(*given: Any) -> list[Any]:
            values: dict[int, Any] = {}
            arguments = dict(zip(names, given, strict=True))
            for v, function, operands in steps:
                if operands:
                    values[v] = function(*[values[k] for k in operands])
                    for k in over[v]:
                        del values[k]
                else:
                    values[v] = arguments[function] if isinstance(function, str) else function
            return [values[v] for v in results]

        return run

    def _read_rule(self, rule: str, v: int, operands: Sequence[int]) -> int:
        return self.read(ast.parse(rule, mode="eval").body, {"v": v, **dict(zip("abc", operands, strict=False))})

    def _condition(self, number: int) -> int:
        return self.number(np.where, number, self.number(1.0), self.number(0.0))

    def _constant(self, number: int) -> float | None:
        value = self._calls[number][0]
        return value if isinstance(value, float) else None

    def _simplified(self, function: Any, operands: Sequence[int]) -> int | None:
        """The number of what needs no call, or cheaper ones; None where there is nothing."""
        constants = [self._constant(k) for k in operands]
        first, last = constants[0], constants[-1]
        if None not in constants:
            with np.errstate(all="ignore"):
                return self.number(function(*map(np.float64, constants)))
        if (function is np.add and first == 0) or (function is np.multiply and first == 1) or function is np.positive:
            return operands[-1]
        if (function in (np.add, np.subtract) and last == 0) or (function in (np.multiply, np.divide) and last == 1):
            return operands[0]
        if function is np.multiply and 0 in (first, last):
            return self.number(0.0)
        if function is np.multiply and -1 in (first, last):
            return self.number(np.negative, operands[0] if last == -1 else operands[1])
        if function is np.power and last is not None and (2 * last).is_integer() and abs(last) <= MOST_FACTORS:
            return self._power(operands[0], last)
        if function is np.where and first is not None:
            return operands[1] if first else operands[2]
        return None

    def _power(self, base: int, exponent: float) -> int:
        if exponent < 0:
            return self.number(np.divide, self.number(1.0), self._power(base, -exponent))
        whole, half = divmod(exponent, 1)
        result = self.number(np.sqrt, base) if half else self.number(1.0)
        square = base
        while whole:
            whole, odd = divmod(whole, 2)
            if odd:
                result = self.number(np.multiply, square, result)
            square = self.number(np.multiply, square, square) if whole else square
        return result
