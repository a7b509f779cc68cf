"""The smallest objectives of each kind, and a loader that is a function of the place."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pinxit.rng import Draws, generator_at
from pinxit.train.average import Average
from pinxit.train.config import AverageConfig, OptimizerConfig
from pinxit.train.hook import follow_average
from pinxit.train.objective import Loss, Objective
from pinxit.train.optimizer import Optimizer
from pinxit.train.run import Run
from pinxit.train.state import TrainState


@dataclass(frozen=True)
class Points:
    value: Tensor
    position: tuple[int, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(f"point {p}" for p in self.position)


@dataclass
class PointLoader:
    """Points near (1, -1, ...), drawn from their places, in `parts` micro-batches a step."""

    batch: int = 8
    parts: int = 1
    waited: float = 0.0
    make: Callable[[int], Tensor] = lambda p: (
        torch.randn(24, generator=generator_at(7, p)) * 0.1 + torch.tensor([1.0, -1.0] * 12)
    )

    def next_step(self, seen: int) -> list[Points]:
        places = range(seen, seen + self.batch)
        size = self.batch // self.parts
        groups = [tuple(places[i : i + size]) for i in range(0, self.batch, size)]
        return [Points(torch.stack([self.make(p) for p in group]), group) for group in groups]


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(24, 32), nn.SiLU(), nn.Linear(32, 24))


class Denoise:
    """Diffusion: predict the noise that was added."""

    def __init__(self, model: nn.Module) -> None:
        self.model, self.trained = model, dict(model.named_parameters())

    def loss(self, batch: Points, draws: Draws, state: TrainState) -> Loss:
        eps, time = draws.normal("noise", (24,)), draws.uniform("time")[:, None]
        each = (self.model((1 - time) * batch.value + time * eps) - eps).square().mean(1)
        return Loss(each.sum(), len(each), {"error": float(each.detach().mean())})

    def after_step(self, state: TrainState) -> None:
        pass


class Consistent(Denoise):
    """Consistency with a target network that lives in the state and follows after each step."""

    def loss(self, batch: Points, draws: Draws, state: TrainState) -> Loss:
        eps = draws.normal("noise", (24,)) * draws.shared("scale")
        with torch.no_grad():
            goal = state.target["slow"](batch.value + 0.5 * eps)
        each = (self.model(batch.value + eps) - 0.5 * (goal + batch.value)).square().mean(1)
        return Loss(each.sum(), len(each))

    def after_step(self, state: TrainState) -> None:
        with torch.no_grad():
            for slow, fast in zip(state.target["slow"].parameters(), self.model.parameters(), strict=True):
                slow.lerp_(fast, 0.1)


class Language(Denoise):
    """Language: the weight is a count of tokens, not of examples."""

    def loss(self, batch: Points, draws: Draws, state: TrainState) -> Loss:
        tokens = (batch.value > 0).long()
        keep = draws.uniform("length")[:, None] * 24 >= torch.arange(24)
        logits = torch.stack([self.model(batch.value), torch.zeros_like(batch.value)], -1)
        each = F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none").view_as(keep) * keep
        return Loss(each.sum(), int(keep.sum()))


class Rollouts(Denoise):
    """Reinforcement: the batches are rollouts of the current policy."""

    def loss(self, batch: Points, draws: Draws, state: TrainState) -> Loss:
        with torch.no_grad():
            action = self.model(batch.value) + draws.normal("explore", (24,))
            reward = -(action - 1).square().mean(1)
        likelihood = -(action - self.model(batch.value)).square().mean(1)
        return Loss(-(reward * likelihood).sum(), len(reward))


KINDS: dict[str, type[Denoise]] = {
    "diffusion": Denoise, "consistency": Consistent, "language": Language, "rollouts": Rollouts,
}  # fmt: skip


def build(
    kind: str = "diffusion", examples: int = 400, loader: PointLoader | None = None, optimizer: str = "adamw"
) -> Run[Points]:
    model = network()
    settings = OptimizerConfig(kind=optimizer, learning_rate=1e-2, warmup=40)  # type: ignore[arg-type]
    objective: Objective[Points] = KINDS[kind](model)
    state = TrainState(
        model,
        Average(deepcopy(model), AverageConfig(memory=100)),
        Optimizer(objective.trained, settings, examples),
        seed=3,
    )
    state.target["slow"] = deepcopy(model).requires_grad_(False)
    loader = loader or PointLoader()
    return Run(state, objective, loader, examples, loader.batch, [follow_average(loader.batch)])
