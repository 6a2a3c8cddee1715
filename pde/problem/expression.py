"""Formulas such as "exp(x*y)*sin(3*pi*x)" as functions of the names in them; nothing but arithmetic is ever run.

The text is parsed by `ast`, and the tree is walked: numbers, names, + - * / **, comparisons, and/or/not and the
functions of `FUNCTIONS`. Anything else is refused before a value is computed. Numbers are float64, so that a tower of
powers overflows instead of running for ever.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np

from mgcore.common.arguments import nearest
from pde.problem.grid import Array

LONGEST, DEEPEST = 2000, 200
"""Formulas with more characters, or with more operations inside each other, are refused."""

CONSTANTS = {"pi": np.float64(np.pi), "e": np.float64(np.e)}

ONE = """sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh exp exp2 expm1 log log2 log10 log1p
sqrt cbrt abs sign floor ceil"""
TWO = "minimum maximum hypot arctan2 mod"
FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {
    **{name: (getattr(np, name), 1) for name in ONE.split()},
    **{name: (getattr(np, f"arc{name[1:]}"), 1) for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh")},
    **{name: (getattr(np, name), 2) for name in TWO.split()},
    **{"min": (np.minimum, 2), "max": (np.maximum, 2), "atan2": (np.arctan2, 2), "where": (np.where, 3)},
}
"""name -> (function, number of arguments); where(condition, a, b) is a where the condition holds and b elsewhere."""

OPERATORS: dict[type, Callable[..., Any]] = {
    **{ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide, ast.Pow: np.power},
    **{ast.USub: np.negative, ast.UAdd: np.positive, ast.Not: np.logical_not},
    **{ast.Lt: np.less, ast.LtE: np.less_equal, ast.Gt: np.greater, ast.GtE: np.greater_equal},
    **{ast.Eq: np.equal, ast.NotEq: np.not_equal, ast.And: np.logical_and, ast.Or: np.logical_or},
}

HINTS = {
    ast.BitXor: "powers are written x**2",
    ast.BitAnd: "write 'and' between conditions",
    ast.BitOr: "write 'or' between conditions",
    ast.Invert: "write 'not' before a condition",
    ast.IfExp: "write where(condition, a, b)",
    ast.FloorDiv: "write floor(a/b)",
    ast.Mod: "write mod(a, b)",
}


class ExpressionError(ValueError):
    """A formula that cannot be read or has no finite value; the message shows the piece."""


class Expression:
    """A formula as a function of the coordinates.

    Args:
        text: the formula.
        names: the coordinates that it may use, in the order in which they are given when it is called.
        label: what the errors call it.

    Attributes:
        tree: the checked tree of the formula.

    Raises:
        ExpressionError: naming the offending piece.
    """

    def __init__(self, text: str, names: Sequence[str] = ("x", "y", "z"), label: str = "expression") -> None:
        self.text, self.names, self.label = text, tuple(names), label
        self.tree = self._parse()

    def __call__(self, *points: Any) -> Array | float:
        """The values at the points, one argument per name.

        Raises:
            ExpressionError: a value is infinite or NaN; the message shows the innermost piece that is.
        """
        if len(points) != len(self.names):
            raise TypeError(f"{self.label}: wants {len(self.names)} coordinates {self.names}, got {len(points)}")
        values = {**CONSTANTS, **dict(zip(self.names, points, strict=True))}
        with np.errstate(all="ignore"):
            result = np.asarray(_value(self.tree, values), dtype=float)
            if np.isfinite(result).all():
                return result
            culprits: list[tuple[ast.expr, Array]] = []
            _value(self.tree, values, culprits)
        raise self._not_finite(*culprits[0], values)

    def uses(self, name: str) -> bool:
        """Whether a name is in it."""
        return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(self.tree))

    @property
    def is_condition(self) -> bool:
        """Whether it is true or false: a comparison, or several with and, or, not."""
        negated = isinstance(self.tree, ast.UnaryOp) and isinstance(self.tree.op, ast.Not)
        return negated or isinstance(self.tree, ast.Compare | ast.BoolOp)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def _parse(self) -> ast.expr:
        if len(self.text) > LONGEST:
            raise ExpressionError(f"{self.label}: at most {LONGEST} characters are read, got {len(self.text)}")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(self.text.strip(), mode="eval").body
        except SyntaxError as error:
            where = f" at column {error.offset}" if error.offset else ""
            raise ExpressionError(f"{self.label}: {_short(self.text)!r} is no formula: {error.msg}{where}") from None
        except (RecursionError, MemoryError, ValueError) as error:
            raise ExpressionError(f"{self.label}: the formula cannot be read: {error}") from None
        self._check(tree)
        return tree

    def _check(self, tree: ast.expr) -> None:
        """Refuse every node that is not allowed; without recursion, since the depth is not known yet."""
        waiting: list[tuple[ast.expr, int]] = [(tree, 1)]
        while waiting:
            node, depth = waiting.pop()
            if depth > DEEPEST:
                raise ExpressionError(f"{self.label}: at most {DEEPEST} operations inside each other are read")
            problem = self._problem(node)
            if problem:
                where = f"'{self._piece(node)}' at column {node.col_offset + 1}"
                raise ExpressionError(f"{self.label}: {where}: {problem}")
            waiting.extend((child, depth + 1) for child in operands_of(node))

    def _problem(self, node: ast.expr) -> str | None:
        """The mistake in a node, its children apart."""
        match node:
            case ast.Constant():
                return _problem_of_number(node.value)
            case ast.Name():
                known = (*self.names, *CONSTANTS)
                return (
                    None if node.id in known else f"unknown name; there are {', '.join(known)}{_hint(node.id, known)}"
                )
            case ast.Call():
                return _problem_of_call(node)
            case ast.BinOp() | ast.UnaryOp() | ast.BoolOp() | ast.Compare():
                operators = node.ops if isinstance(node, ast.Compare) else [node.op]
                wrong = next(
                    (HINTS.get(type(op), "only arithmetic is") for op in operators if type(op) not in OPERATORS), ""
                )
                return f"this operator is not allowed; {wrong}" if wrong else None
        hint = HINTS.get(type(node))
        return f"only arithmetic is allowed{f'; {hint}' if hint else ''}"

    def _piece(self, node: ast.expr) -> str:
        return _short(ast.get_source_segment(self.text.strip(), node) or self.text)

    def _not_finite(self, node: ast.expr, value: Array, values: Mapping[str, Any]) -> ExpressionError:
        """The error for a piece with infinite or NaN among its values."""
        first = tuple(np.argwhere(~np.isfinite(value))[0].tolist())
        at = []
        for name in self.names:
            point = np.asarray(values[name])
            at.append(f"{name} = {float(point[first] if point.shape == value.shape else point.flat[0]):.4g}")
        what = "not a number" if np.isnan(value[first]) else "infinite"
        return ExpressionError(f"{self.label}: '{self._piece(node)}' is {what} at {', '.join(at)}")


def _value(node: ast.expr, values: Mapping[str, Any], culprits: list[tuple[ast.expr, Array]] | None = None) -> Any:
    """The value of a checked tree; `culprits` begins with the innermost piece that makes it infinite or NaN."""
    before = len(culprits or ())
    value = _applied(node, [_value(child, values, culprits) for child in operands_of(node)], values)
    if culprits is not None:
        array = np.asarray(value, dtype=float)
        if np.isfinite(array).all():
            del culprits[before:]
        else:
            culprits.append((node, array))
    return value


def _applied(node: ast.expr, arguments: list[Any], values: Mapping[str, Any]) -> Any:
    """The value of a node with the values of its operands."""
    match node:
        case ast.Constant():
            return np.float64(node.value)  # type: ignore[arg-type]
        case ast.Name():
            return values[node.id]
        case ast.Call():
            return FUNCTIONS[node.func.id][0](*arguments)  # type: ignore[attr-defined]
        case ast.BoolOp():
            return reduce(OPERATORS[type(node.op)], arguments)
        case ast.Compare():
            pairs = zip(node.ops, arguments[:-1], arguments[1:], strict=True)
            return reduce(np.logical_and, [OPERATORS[type(op)](a, b) for op, a, b in pairs])
    return OPERATORS[type(node.op)](*arguments)  # type: ignore[attr-defined]


def operands_of(node: ast.expr) -> Iterator[ast.expr]:
    """The operands of a node; the name of a function is none."""
    if isinstance(node, ast.Call):
        yield from node.args
    else:
        yield from (child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))


def _problem_of_number(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "only real numbers are allowed"
    try:
        return None if np.isfinite(float(value)) else "the number is too large"
    except OverflowError:
        return "the number is too large"


def _problem_of_call(node: ast.Call) -> str | None:
    if not isinstance(node.func, ast.Name):
        return "only functions by name can be called"
    if node.func.id not in FUNCTIONS:
        return f"unknown function{_hint(node.func.id, FUNCTIONS)}; there are {', '.join(sorted(FUNCTIONS))}"
    wanted = FUNCTIONS[node.func.id][1]
    if node.keywords or len(node.args) != wanted or any(isinstance(a, ast.Starred) for a in node.args):
        return f"{node.func.id} takes {wanted} argument{'s' * (wanted > 1)}"
    return None


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."


def _hint(name: str, known: Iterable[str]) -> str:
    near = nearest(name, known)
    return f" (did you mean {near}?)" if near else ""
