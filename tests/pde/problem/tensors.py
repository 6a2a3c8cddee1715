"""Problems with full tensors: random ones, an assembly by quadrature cell by cell, and manufactured solutions."""

from __future__ import annotations

from functools import partial
from itertools import combinations, product
from typing import Any

import numpy as np

import pde

BETA = (lambda *x: 1.0 + x[0] + x[-1], lambda *x: 2.0 + 0 * x[0])

CASES: dict[str, tuple[tuple[int, ...], Any, str]] = {
    "dirichlet": ((6, 7), "dirichlet", "vertex"),
    "one unknown": ((1, 1), "dirichlet", "vertex"),
    "one line": ((1, 6), "dirichlet", "vertex"),
    "neumann": ((5, 6), "neumann", "vertex"),
    "periodic": ((5, 4), "periodic", "vertex"),
    "mixed": ((5, 6), [("dirichlet", "neumann"), "periodic"], "vertex"),
    "robin": ((5, 6), [(("robin", BETA[0]), "dirichlet"), ("neumann", ("robin", BETA[0]))], "vertex"),
    "cells": ((5, 6), "dirichlet", "cell"),
    "periodic cells": ((4, 5), ["periodic", "dirichlet"], "cell"),
    "space": ((3, 4, 5), "dirichlet", "vertex"),
    "mixed space": ((4, 3, 3), ["periodic", ("robin", 1.5), ("dirichlet", "neumann")], "vertex"),
    "cells in space": ((3, 3, 4), ["periodic", "dirichlet", "dirichlet"], "cell"),
}


def random_tensor(shape: tuple[int, ...], least: float = 0.3) -> np.ndarray:
    """(*shape, ndim, ndim), with eigenvalues of at least `least`."""
    ndim = len(shape)
    B = np.random.default_rng(7).standard_normal((*shape, ndim, ndim))
    return B @ np.swapaxes(B, -1, -2) + least * np.eye(ndim)


def stretched(n: int) -> np.ndarray:
    t = np.linspace(0, 1, n)
    return t + 0.3 * t * (1 - t)


def assembled(p: pde.Poisson, tensor: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """(K, unknowns, nodes): W A on all nodes without reaction and Robin sides, the numbers of the unknowns among them.

    The gradient of a cell is made of differences, each square or product of which is averaged as the module says.
    """
    axes, ndim = p.grid.axes, p.ndim
    lows = [int(axis.sides[0].kind == "dirichlet") for axis in axes]
    nodes, values = [], tensor
    for a, axis in enumerate(axes):
        high = axis.sides[1].kind == "dirichlet"
        x = np.concatenate((axis.nodes[: lows[a]], axis.points, axis.nodes[-1:] if high else []))
        line = np.moveaxis(values, a, 0)
        for there, end in ((lows[a], 0), (high, -1)):
            if there:
                two = [0, 1] if end == 0 else [-1, -2]
                first, second = (line[k] for k in (two if axis.n > 1 else two[:1] * 2))
                gap = abs(axis.points[two[0]] - axis.points[two[1]]) if axis.n > 1 else np.inf
                beyond = first + abs(axis.points[end] - axis.nodes[end]) / gap * (first - second)
                wrong = np.linalg.eigvalsh(beyond)[..., :1, None] <= 0
                beyond = np.where(wrong, line[end], beyond)[None]
                line = np.concatenate((beyond, line) if end == 0 else (line, beyond))
        if axis.periodic:
            x, line = np.append(x, x[0] + axis.length), np.concatenate((line, line[:1]))
        nodes.append(x)
        values = np.moveaxis(line, 0, a)
    shape = tuple(map(len, nodes))
    number = np.arange(np.prod(shape)).reshape(shape)
    for a, axis in enumerate(axes):  # the node behind the last one is the first
        if axis.periodic:
            np.moveaxis(number, a, 0)[-1] = np.moveaxis(number, a, 0)[0]
    K, corners = np.zeros((number.size,) * 2), list(product((0, 1), repeat=ndim))
    for cell in product(*(range(n - 1) for n in shape)):
        at = [tuple(c + o for c, o in zip(cell, corner, strict=True)) for corner in corners]
        T = np.mean([values[i] for i in at], axis=0)
        h = [x[c + 1] - x[c] for x, c in zip(nodes, cell, strict=True)]
        energy = np.zeros((len(corners),) * 2)
        for a in range(ndim):
            for each in differences(corners, a, h[a], {}):
                energy += T[a, a] * np.outer(each, each) / 2 ** (ndim - 1)
        for a, b in combinations(range(ndim), 2):
            others = [c for c in range(ndim) if c not in (a, b)]
            for place in product((0, 1), repeat=len(others)):
                face = dict(zip(others, place, strict=True))
                da, db = (np.mean(differences(corners, c, h[c], face), axis=0) for c in (a, b))
                energy += T[a, b] * (np.outer(da, db) + np.outer(db, da)) / 2 ** len(others)
        places = [number[i] for i in at]
        np.add.at(K, np.ix_(places, places), np.prod(h) * energy)
    unknowns = number[tuple(slice(low, low + axis.n) for low, axis in zip(lows, axes, strict=True))].ravel()
    return K, unknowns, nodes


def differences(corners: list[tuple[int, ...]], a: int, h: float, face: dict[int, int]) -> list[np.ndarray]:
    """The differences along the edges of a cell in the direction of an axis, those in a face alone."""
    result = []
    for low in corners:
        if low[a] == 0 and all(low[c] == place for c, place in face.items()):
            high = tuple(1 if c == a else k for c, k in enumerate(low))
            each = np.zeros(len(corners))
            each[corners.index(low)], each[corners.index(high)] = -1 / h, 1 / h
            result.append(each)
    return result


def manufactured(ndim: int) -> dict[str, Any]:
    """u, the tensor, its flux and f of -div(A grad u) + u = f, callables of the coordinates.

    The divergence is a central difference of fourth order, whose error is near 1e-11.
    """

    def u(x, y, z=None):
        return np.exp(x) * np.cos(2 * y) * (1.0 if z is None else np.sin(z + 1))

    def gradient(x, y, z=None):
        e, s, c = np.exp(x), *((1.0, 0.0) if z is None else (np.sin(z + 1), np.cos(z + 1)))
        return [e * np.cos(2 * y) * s, -2 * e * np.sin(2 * y) * s, e * np.cos(2 * y) * c]

    entries = {
        (0, 0): lambda *x: 2 + x[0],
        (0, 1): lambda *x: 0.7 * np.sin(3 * x[1]) + x[0] / 5,
        (1, 1): lambda *x: 1.2 + x[0] * x[1],
        (0, 2): lambda *x: x[2] / 3,
        (1, 2): lambda *x: x[0] / 4 - 0.3,
        (2, 2): lambda *x: 1.5 + x[2],
    }
    rows = [[entries[min(i, j), max(i, j)] for j in range(ndim)] for i in range(ndim)]

    def flux(i, *x):
        return sum(rows[i][j](*x) * part for j, part in zip(range(ndim), gradient(*x), strict=False))

    def f(*x, h=1e-3):
        total = u(*x)
        for i in range(ndim):
            for step, weight in ((-2, 1), (-1, -8), (1, 8), (2, -1)):
                moved = [c + step * h if k == i else c for k, c in enumerate(x)]
                total = total - weight * flux(i, *moved) / (12 * h)
        return total

    return {"u": u, "A": rows, "flux": [partial(flux, i) for i in range(ndim)], "f": f}


def boundary_data(p: pde.Poisson, exact: dict[str, Any]) -> dict[tuple[int, int], Any]:
    """g of every side for a manufactured solution; Robin sides have BETA[0]."""
    data = {}
    for a, axis in enumerate(p.grid.axes):
        for side, end in enumerate(axis.sides):
            sign, flux = (-1, 1)[side], exact["flux"][a]
            if end.kind == "dirichlet":
                data[a, side] = exact["u"]
            elif end.kind == "neumann":
                data[a, side] = lambda *x, sign=sign, flux=flux: sign * flux(*x)
            elif end.kind == "robin":
                data[a, side] = lambda *x, sign=sign, flux=flux: sign * flux(*x) + BETA[0](*x) * exact["u"](*x)
    return data
