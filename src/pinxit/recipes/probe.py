"""The probe loss: fixed pictures, fixed noise, fixed times; held-out beside training, so that the gap can be read."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from pinxit.data.kind import Batch
from pinxit.log import append_line, read_lines
from pinxit.recipes.result import Probe
from pinxit.rng import Draws
from pinxit.train.diffusion import DiffusionObjective
from pinxit.train.state import TrainState

PROBE_SEED = 0x9A1  # the same draws in every run, so that runs can be compared
BANDS = 4  # of times, each as often drawn in training, from least noise to most


def probe(
    objective: DiffusionObjective, batches: Mapping[str, Sequence[Batch]], file: Path, stage: str
) -> Callable[[TrainState], None]:
    """An action that appends the average weights' loss on each split to `file`: of all times, and band by band.

    Beside the bands stands `blind`, what is lost by who knows nothing of pictures but how noise is mixed in; not where
    the loss is a distillation's.
    """
    denoises = type(objective).each is DiffusionObjective.each

    @torch.no_grad()
    def action(state: TrainState) -> None:
        for split, parts in batches.items():
            if not parts:
                continue
            draws = [Draws(PROBE_SEED, part.position, part.mean.device) for part in parts]
            losses = torch.cat(
                [objective.each(state.average.model, part, each) for part, each in zip(parts, draws, strict=True)]
            )
            row = {"seen": state.seen, "stage": stage, "split": split, "loss": float(losses.mean())}
            if denoises:
                blind = torch.cat([objective.blind(part, each) for part, each in zip(parts, draws, strict=True)])
                place = torch.cat([each.uniform("time") for each in draws])
                row |= {"bands": band(losses, place), "blind": band(blind, place)}
            append_line(file, row)

    return action


def band(losses: Float[Tensor, "n"], place: Float[Tensor, "n"]) -> list[float | None]:
    """The mean loss in each band of times, by their places from 0 to 1 among all; None where there is none."""
    bands = [losses[(place * BANDS).long() == number] for number in range(BANDS)]
    return [float(each.mean()) if len(each) else None for each in bands]


def say_what_is_off(file: Path, stage: str) -> str:
    """The bands of the stage's last row on training pictures in which it knows less than nothing; empty if none."""
    rows = [Probe.model_validate(row) for row in read_lines(file)]
    rows = [row for row in rows if (row.stage, row.split) == (stage, "training") and row.bands]
    if not rows:
        return ""
    told = zip(rows[-1].bands, rows[-1].blind, strict=True)
    over = [
        f"{loss:.3f} in quarter {number} of the times, where knowing nothing of pictures loses {blind:.3f}"
        for number, (loss, blind) in enumerate(told, 1)
        if loss is not None and blind is not None and loss >= blind
    ]
    if not over:
        return ""
    return (
        f"{stage} is off: its loss is {'; '.join(over)} (1: least noise). It was far too short, or latents, times and "
        "scale do not fit each other"
    )
