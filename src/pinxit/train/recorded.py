"""Work on a GPU recorded once and replayed: launching a small network's thousand kernels takes longer than they do."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

EAGER = 3  # calls before the recording, in which libraries choose their kernels and what is compiled is compiled

T = TypeVar("T")


class Recorded(Generic[T]):
    """A function of tensors whose every call for the same shapes does the same work, as one CUDA graph for each.

    It may change other tensors, such as weights, in place. What it gives is overwritten by the next call.
    """

    def __init__(self, work: Callable[..., T]) -> None:
        self.work = work
        self._pool: Any = None
        self._calls: dict[object, int] = {}
        self._graphs: dict[object, tuple[torch.cuda.CUDAGraph, Sequence[Tensor], T]] = {}

    def __call__(self, *inputs: Tensor) -> T:
        """What the function gives for the inputs; from the fourth call on by replaying."""
        kind = tuple((each.shape, each.dtype) for each in inputs)
        self._calls[kind] = self._calls.get(kind, 0) + 1
        if self._calls[kind] <= EAGER:
            return self.work(*inputs)
        if kind not in self._graphs:
            self._graphs[kind] = self._record(inputs)
        graph, held, given = self._graphs[kind]
        if inputs:
            torch._foreach_copy_(list(held), list(inputs))
        graph.replay()
        return given

    def _record(self, inputs: Sequence[Tensor]) -> tuple[torch.cuda.CUDAGraph, Sequence[Tensor], T]:
        held = [each.clone() for each in inputs]
        graph = torch.cuda.CUDAGraph()
        self._pool = self._pool or torch.cuda.graph_pool_handle()  # one for all graphs, of which one runs at a time
        torch.cuda.synchronize()
        with torch.cuda.graph(graph, self._pool, capture_error_mode="thread_local"):  # the loader's thread works on
            given = self.work(*held)
        return graph, held, given
