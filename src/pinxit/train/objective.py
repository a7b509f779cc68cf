"""What is trained: the Objective protocol, and the loss it gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, runtime_checkable

from torch import Tensor, nn

from pinxit.rng import Draws
from pinxit.train.state import TrainState

B_contra = TypeVar("B_contra", contravariant=True)


@dataclass(frozen=True)
class Loss:
    """A sum over examples with its weight (pictures, or tokens for language), and named parts to log (means)."""

    total: Tensor
    weight: int
    parts: Mapping[str, float] = field(default_factory=dict)


@runtime_checkable
class Objective(Protocol[B_contra]):
    """Pretraining, fine-tuning, distillation, language: whatever `fit` can train."""

    trained: Mapping[str, nn.Parameter]

    def loss(self, batch: B_contra, draws: Draws, state: TrainState) -> Loss:
        """The loss of one micro-batch: a sum, its weight, named parts."""
        ...

    def after_step(self, state: TrainState) -> None:
        """Target networks move; they live in the state."""
        ...
