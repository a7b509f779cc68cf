"""Run: all that `fit` needs, built; and what one step reports."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Generic, Protocol, TypeVar, runtime_checkable

from torch import Tensor

from pinxit.errors import DivergenceError
from pinxit.rng import Draws
from pinxit.train.compute import PLAIN, Compute
from pinxit.train.objective import Loss, Objective
from pinxit.train.recorded import Recorded
from pinxit.train.state import TrainState


@runtime_checkable
class Positioned(Protocol):
    """A batch that knows the place of each of its examples in the run."""

    @property
    def position(self) -> tuple[int, ...]:
        """Places in the run, one an example."""
        ...

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the examples, for messages."""
        ...


B = TypeVar("B", bound=Positioned)


@runtime_checkable
class Loader(Protocol[B]):
    """A stream of batches that is a function of the examples seen, so that it can start anywhere."""

    waited: float  # seconds that the loop has waited for data

    def next_step(self, seen: int) -> list[B]:
        """The micro-batches of the step that starts when `seen` examples of the run were seen."""
        ...


@dataclass(frozen=True)
class StepReport:
    """What one step did: its losses, the gradient's norm, the rate, and seconds waited for data so far."""

    losses: Sequence[Loss]
    norm: float
    rate: float
    waited: float

    @property
    def mean(self) -> float:
        """The loss an example."""
        return float(sum(float(loss.total.detach()) for loss in self.losses)) / sum(x.weight for x in self.losses)


Hook = Callable[[TrainState, StepReport], None]


@dataclass
class Run(Generic[B]):
    """A state, what to do with it, and how long: carried by `fit` until `examples` were seen."""

    state: TrainState
    objective: Objective[B]
    loader: Loader[B]
    examples: int  # of the whole run, at the end of this stage
    examples_per_step: int
    hooks: Sequence[Hook] = field(default_factory=list)
    last_good: Callable[[], str] = lambda: "none was written yet"
    compute: Compute = PLAIN
    _example: B | None = field(default=None, init=False)  # a batch, for the parts of it that are no tensors
    _names: tuple[str, ...] = field(default=(), init=False)  # of its tensors

    def learn(self, batch: B) -> Loss:
        """The loss of a batch, with its gradients added to the parameters'."""
        position = Draws(self.state.seed, batch.position, self.compute.device).positions
        if not self.compute.recorded:
            return self._learn(batch, position)
        tensors = {name: value for name, value in vars(batch).items() if isinstance(value, Tensor)}
        self._example, self._names = batch, tuple(tensors)
        loss = self._replay(position, *tensors.values())
        return replace(loss, total=loss.total.clone())  # or the next batch's would stand there

    def _learn(self, batch: B, position: Tensor) -> Loss:
        draws = Draws(self.state.seed, position, self.compute.device)
        with self.compute.precision():
            loss = self.objective.loss(batch, draws, self.state)
        loss.total.backward()  # type: ignore[no-untyped-call]
        return replace(loss, total=loss.total.detach())

    @cached_property
    def _replay(self) -> Recorded[Loss]:
        """`_learn` of a batch's tensors, whatever the batch's other parts."""

        def learn(position: Tensor, *tensors: Tensor) -> Loss:
            given = dict(zip(self._names, tensors, strict=True))
            return self._learn(replace(self._example, **given), position)  # type: ignore[type-var,arg-type]

        return Recorded(learn)

    def refuse_non_finite(self, batches: Sequence[B], losses: Sequence[Loss], norm: float) -> None:
        """Stops the run when a loss or a gradient is not finite, before it reaches the weights."""
        values = [float(loss.total.detach()) for loss in losses]
        if math.isfinite(norm) and all(map(math.isfinite, values)):
            return
        bad = [b for b, v in zip(batches, values, strict=True) if not math.isfinite(v)] or list(batches)
        keys = [key for batch in bad for key in batch.keys]
        graded = [(name, p.grad) for name, p in self.state.model.named_parameters() if p.grad is not None]
        layers = [name for name, gradient in graded if not gradient.isfinite().all()]
        raise DivergenceError(
            f"step at {self.state.seen} examples seen",
            f"loss {values}, gradient norm {norm} on the examples {', '.join(keys[:16])}"
            + (f" and {len(keys) - 16} more" if len(keys) > 16 else "")
            + f"; not finite are {len(layers)} of {len(graded)} gradients, {', '.join(layers[:3]) or 'none'}"
            + (" first" if len(layers) > 3 else ""),
            f"the last good checkpoint is {self.last_good()}: lower the rate or look at these examples, then resume",
        )
