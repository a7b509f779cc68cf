"""The probe loss: fixed pictures, fixed noise, fixed times; held-out beside training, so that the gap can be read."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from pinxit.data.kind import Batch
from pinxit.log import append_line
from pinxit.rng import Draws
from pinxit.train.diffusion import DiffusionObjective
from pinxit.train.state import TrainState

PROBE_SEED = 0x9A1  # the same draws in every run, so that runs can be compared


def probe(
    objective: DiffusionObjective, batches: Mapping[str, Sequence[Batch]], file: Path, stage: str
) -> Callable[[TrainState], None]:
    """An action that appends the average weights' loss on each split to `file`."""

    @torch.no_grad()
    def action(state: TrainState) -> None:
        for split, parts in batches.items():
            losses = [
                objective.each(state.average.model, part, Draws(PROBE_SEED, part.position, part.mean.device))
                for part in parts
            ]
            if losses:
                loss = float(torch.cat(losses).mean())
                append_line(file, {"seen": state.seen, "stage": stage, "split": split, "loss": loss})

    return action
