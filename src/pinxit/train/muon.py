"""Muon: momentum whose matrix is made orthogonal before it is applied (Jordan et al. 2024), in float32.

torch.optim.Muon computes in bfloat16, which processors without bf16 units do a hundred times slower, and takes matrices
alone; here a convolution is its matrix, outputs by everything else.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

QUINTIC = (3.4445, -4.7750, 2.0315)  # the published coefficients: fast to [0.7, 1.2], not exact
OBLONG = 1.5  # columns over rows from which the iteration on the Gram matrix takes fewer products


def orthogonalise(matrix: Float[Tensor, "m n"], steps: int = 5) -> Float[Tensor, "m n"]:
    """All singular values near 1, by a quintic Newton-Schulz iteration."""
    a, b, c = QUINTIC
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / x.norm().clamp_min(1e-7)
    if x.shape[1] > OBLONG * x.shape[0]:
        x = _factor(x @ x.T, steps) @ x
    else:
        for _ in range(steps):
            gram = x @ x.T
            x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)  # ax + (b gram + c gram²) x
    back: Tensor = x.T if matrix.shape[0] > matrix.shape[1] else x
    return back


def _factor(gram: Float[Tensor, "m m"], steps: int) -> Float[Tensor, "m m"]:
    """What the iteration multiplies a matrix of that Gram matrix by: every factor is a polynomial of it, so they
    commute, and the long side is touched twice and not ten times.
    """
    a, b, c = QUINTIC
    whole = factor = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    for step in range(steps):
        gram = factor @ factor @ gram if step else gram
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal().add_(a)
        whole = factor @ whole if step else factor
    return whole


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised; the rate is scaled by sqrt(max(1, rows / columns))."""

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Every matrix with a gradient has moved once."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group["lr"], group["momentum"], group["weight_decay"])

    def _move(self, parameter: nn.Parameter, rate: float, momentum: float, decay: float) -> None:
        assert parameter.grad is not None
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        buffer: Tensor = state["momentum"]
        buffer.lerp_(parameter.grad, 1 - momentum)
        ahead = parameter.grad.lerp(buffer, momentum).flatten(1)
        rows, columns = ahead.shape
        parameter.mul_(1 - rate * decay)
        parameter.add_(orthogonalise(ahead).view_as(parameter), alpha=-rate * max(1, rows / columns) ** 0.5)
