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


def orthogonalise(matrices: Float[Tensor, "*k m n"], steps: int = 5) -> Float[Tensor, "*k m n"]:
    """All singular values near 1, of each of several matrices at once, by a quintic Newton-Schulz iteration."""
    a, b, c = QUINTIC
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp_min(1e-7)
    if x.shape[-1] > OBLONG * x.shape[-2]:
        x = _factor(x @ x.mT, steps) @ x
    else:
        for _ in range(steps):
            gram = x @ x.mT
            x = _sum(x, a, _sum(gram, b, gram, gram, c), x)  # ax + (b gram + c gram²) x
    return x.mT if tall else x


def _factor(gram: Float[Tensor, "*k m m"], steps: int) -> Float[Tensor, "*k m m"]:
    """What the iteration multiplies matrices of those Gram matrices by: every factor is a polynomial of it, so they
    commute, and the long side is touched twice and not ten times.
    """
    a, b, c = QUINTIC
    whole = factor = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    for step in range(steps):
        gram = factor @ factor @ gram if step else gram
        factor = _sum(gram, b, gram, gram, c)
        factor.diagonal(dim1=-2, dim2=-1).add_(a)
        whole = factor @ whole if step else factor
    return whole


def _sum(
    added: Float[Tensor, "*k m n"],
    beta: float,
    left: Float[Tensor, "*k m p"],
    right: Float[Tensor, "*k p n"],
    alpha: float = 1.0,
) -> Float[Tensor, "*k m n"]:
    """Beta added + alpha left right, in one pass."""
    return (torch.baddbmm if added.ndim == 3 else torch.addmm)(added, left, right, beta=beta, alpha=alpha)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised; the rate is scaled by sqrt(max(1, rows / columns)).

    On a GPU matrices of one shape go together, so that it is asked for few products and not for thousands; a processor
    is faster with one after another.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Every matrix with a gradient has moved once."""
        for group in self.param_groups:
            moved: dict[object, list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    alone = parameter.device.type == "cpu"
                    kind = id(parameter) if alone else (parameter.flatten(1).shape, parameter.dtype, parameter.device)
                    moved.setdefault(kind, []).append(parameter)
            for alike in moved.values():
                self._move(alike, group["lr"], group["momentum"], group["weight_decay"])

    def _move(self, alike: list[Tensor], rate: float | Tensor, momentum: float, decay: float) -> None:
        for parameter in alike:
            if not self.state[parameter]:
                self.state[parameter]["momentum"] = torch.zeros_like(parameter)
        buffers = [self.state[parameter]["momentum"] for parameter in alike]
        gradients = [parameter.grad for parameter in alike if parameter.grad is not None]
        torch._foreach_lerp_(buffers, gradients, 1 - momentum)
        ahead = torch._foreach_lerp(gradients, buffers, momentum)
        flat = [each.flatten(1) for each in ahead]
        made = orthogonalise(torch.stack(flat)) if len(flat) > 1 else orthogonalise(flat[0])[None]
        rows, columns = flat[0].shape
        moves = made * (-rate * max(1, rows / columns) ** 0.5)
        torch._foreach_mul_(alike, 1 - rate * decay)
        updates = [each.view_as(parameter) for each, parameter in zip(moves, alike, strict=True)]
        torch._foreach_add_(alike, updates)


def count(rows: int, columns: int, steps: int = 5) -> int:
    """Operations that making one matrix of that size orthogonal takes."""
    short, long = sorted((rows, columns))
    if long > OBLONG * short:
        return 4 * short**2 * long + (8 * steps - 6) * short**3
    return steps * (4 * short**2 * long + 2 * short**3)
