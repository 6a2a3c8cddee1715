"""Trace the steps of a network on one grid, or a module of one's own, with `torch.fx`: a graph that runs."""

from __future__ import annotations

from typing import Any

from torch import Tensor, fx, nn

from nets.models.base import Network
from nets.models.data_level import DataLevel


def steps(model: nn.Module, level: int = 0) -> fx.GraphModule:
    """The operations of a network's steps on a grid, in order; of another module those of its forward pass.

    The result runs: from data f (N, c_f, n, ...), and u (N, c_u, n, ...) where the steps start from a first guess, to
    the feature u after the last step, in data space f. Its modules are those of the network, by the same names. The
    identity, and copies into another memory format, are left out. The first block of a ResNet on a coarser grid leads
    to that grid and is none of its steps, nor are the steps on the way up, after coarser grids. A network inside
    another module is one operation. `torch.fx` takes x += y for x = x + y.

    Args:
        level: of a `nets.Network`, as in `model.levels`; 0 is the finest.

    Raises:
        TypeError, ValueError: where model is no module, there is no such level, or `torch.fx` cannot trace the module.

    >>> graph = steps(create_model("ResNet[1]-[8]", batch_norm=False)).graph
    >>> [str(node.target) for node in graph.nodes if node.op == "call_module"]
    ['B.0.0', 's.0', 'A.0.0', 's.0']
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a network or another torch.nn.Module; got {type(model).__name__}")
    root = model
    if isinstance(model, Network):
        levels = model.levels
        if type(level) is not int or not 0 <= level < len(levels):
            raise ValueError(f"level must be an integer from 0 to {len(levels) - 1}; got {level!r}")
        root = (_FromZero if _starts_from_zero(levels[level]) else _Grid)(model, levels[level])
    try:
        graph = _Tracer().trace(root)
    except Exception as error:  # of the module's own code, on the proxies of a trace
        raise ValueError(f"model must be a module that torch.fx can trace: {error}") from error
    traced = fx.GraphModule(root, graph)
    before: set[fx.Node] = set()
    for node in traced.graph.nodes:
        before.add(node)
        if node.op == "call_method" and node.target == "contiguous":
            node.replace_all_uses_with(node.args[0])
        elif _in_place(traced, node):  # later uses of the value are of the result
            node.all_input_nodes[0].replace_all_uses_with(node, lambda user: user not in before)
    traced.graph.eliminate_dead_code(lambda node: node.op in ("placeholder", "output") or _in_place(traced, node))
    traced.recompile()
    return traced


def _in_place(traced: fx.GraphModule, node: fx.Node) -> bool:
    """Whether an operation writes into its first input: x.add_(1), torch.relu_(x), a module with inplace=True."""
    if node.op == "call_module":
        return bool(getattr(traced.get_submodule(str(node.target)), "inplace", False))
    name = str(getattr(node.target, "__name__", node.target))
    called = node.op in ("call_method", "call_function")
    return called and (node.kwargs.get("inplace") is True or (name.endswith("_") and not name.endswith("__")))


class _Tracer(fx.Tracer):
    """Keeps torch's modules, networks and modules without parts as one operation, and leaves out identities."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        whole = isinstance(m, Network) or not any(True for _ in m.children())
        return whole or super().is_leaf_module(m, module_qualified_name)

    def call_module(self, m: nn.Module, forward: Any, args: Any, kwargs: Any) -> Any:
        if isinstance(m, nn.Identity) or m not in set(self.root.modules()):  # made on the way, of modules of the root
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)


class _Grid(nn.Module):
    """The steps of a grid from u and f, with the modules of the network by their names."""

    def __init__(self, network: Network, level: Any) -> None:
        super().__init__()
        for name, module in network.named_children():
            self.add_module(name, module)
        self.level = level

    def forward(self, f: Tensor, u: Tensor) -> Any:
        return self.level.feature(self.level.smooth(self.level.start(f, u)))


class _FromZero(_Grid):
    """The same from u = 0, or in data space."""

    def forward(self, f: Tensor) -> Any:  # type: ignore[override]
        return self.level.feature(self.level.smooth(self.level.start(f, None)))


def _starts_from_zero(level: Any) -> bool:
    """Whether the steps take f alone: in data space, and where no A acts on the first guess, as in MgNO."""
    if isinstance(level, DataLevel):
        return True
    A = level.level.A
    return (A if callable(A) or A is None else A[0]) is None
