"""TrainState: all that a run needs to go on, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from pinxit.train.average import Average
from pinxit.train.optimizer import Optimizer


@dataclass
class TrainState:
    """Weights, their average, the optimiser and the place in the run; `seen` counts examples from the run's start."""

    model: nn.Module
    average: Average
    optimizer: Optimizer
    seed: int
    stage: int = 0
    seen: int = 0
    started: int = 0  # `seen` at the start of this stage
    target: nn.ModuleDict = field(default_factory=nn.ModuleDict)

    @property
    def seen_in_stage(self) -> int:
        """Examples seen since this stage began."""
        return self.seen - self.started

    def advance(self, examples: int) -> None:
        """The clock has moved by `examples`."""
        self.seen += examples

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor of the state under one flat name each."""
        parts: dict[str, Mapping[str, Tensor]] = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "target": self.target.state_dict(),
        }
        return {f"{part}/{name}": tensor for part, named in parts.items() for name, tensor in named.items()}

    def place(self) -> dict[str, int]:
        """Where the run stands, for a JSON file."""
        return {"seed": self.seed, "stage": self.stage, "seen": self.seen, "started": self.started}

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor], place: Mapping[str, int]) -> None:
        """The state is what `tensors` and `place` gave, to the last bit."""
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimizer": {}, "target": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = tensor
        self.model.load_state_dict(parts["model"])
        self.average.load_state_dict(parts["average"])
        self.optimizer.load_state_dict(parts["optimizer"])
        self.target.load_state_dict(parts["target"])
        self.seed, self.stage, self.seen, self.started = (place[key] for key in ("seed", "stage", "seen", "started"))
