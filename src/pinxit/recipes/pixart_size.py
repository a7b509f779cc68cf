"""What the ways of modulation weigh and take: parameters, planned memory, seconds of a step; here and at full size."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median

import torch

from pinxit.config import Config
from pinxit.ledger.meter import find_hardware
from pinxit.log import append_line, read_lines
from pinxit.models.config import TransformerConfig
from pinxit.models.count import FLOAT, transformer
from pinxit.models.transformer import Transformer
from pinxit.recipes.calibrate import time_step
from pinxit.recipes.pixart_trial import PixartTrial, Scale
from pinxit.recipes.work import work_of
from pinxit.train.compute import PLAIN

WAYS: Mapping[str, str] = {
    "single": "shared projection and a table per block (adaLN-single)",
    "shared": "shared projection, no tables",
    "block": "a projection per block",
}
PAPER: Mapping[str, tuple[str, str]] = {"single": ("611M", "23 GB"), "block": ("833M", "29 GB")}
FULL_BATCH, FULL_TOKENS, FULL_WORDS = 178, 256, 120  # of one GPU in the paper's text stage at 256 pixels
HALF = 2  # bytes of a number in a product
KEPT = 5  # numbers that training keeps of each parameter: itself, gradient, two moments, average
PATIENCE, ROUNDS = 3.0, 5  # seconds of a trial; trials of each way, in turn


class Timed(Config):
    """Seconds of a step of the base with one way of modulation, the median of several trials in turn."""

    modulation: str
    seconds: float
    threads: int
    hardware: str


def parameters(config: TransformerConfig) -> int:
    """Counted on a network that holds no numbers."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in Transformer(config).parameters())


def full_memory(config: TransformerConfig) -> int:
    """Bytes that training at the paper's batch is planned to take: AdamW, float32, products in half precision, of every
    block no more kept than what it is given.
    """
    network = transformer(config, FULL_TOKENS, FULL_WORDS)
    return KEPT * FLOAT * parameters(config) + FULL_BATCH * network.activations(HALF, checkpointed=True)


def own_memory(scale: Scale, modulation: str) -> int:
    """Bytes that the study's network takes of weights, gradients, moments, average and activations."""
    recipe = PixartTrial().but(modulation=modulation).recipe(scale)
    stage = recipe.stages["high"]
    work = work_of(recipe, stage, is_padded=False)
    return 3 * FLOAT * work.network.parameters + work.moments + stage.batch * work.network.activations(FLOAT)


def time_steps(scale: Scale, file: Path, patience: float = PATIENCE, rounds: int = ROUNDS) -> None:
    """The file has a line for each way, all timed in turn by this process; those that stand are left as they are."""
    if {row["modulation"] for row in read_lines(file)} >= WAYS.keys():
        return
    recipes = {way: PixartTrial().but(modulation=way).recipe(scale) for way in WAYS}
    taken: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, recipe in recipes.items():
            taken[way].append(time_step(recipe, PLAIN, patience))
    threads, hardware = torch.get_num_threads(), find_hardware().say()
    for way, seconds in taken.items():
        row = Timed(modulation=way, seconds=median(seconds), threads=threads, hardware=hardware)
        append_line(file, row.model_dump())


def size_table(scale: Scale, timed: Iterable[Timed]) -> str:
    """Markdown: each way at the study's size and at the paper's."""
    known = {row.modulation: row for row in timed}
    lines = [
        "| modulation | parameters | memory, planned | a step | XL/2: parameters | the paper's | memory, planned "
        "| the paper's |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for way, said in WAYS.items():
        own = scale.network.model_copy(update={"modulation": way})
        full = TransformerConfig.model_validate({"modulation": way})
        step = f"{1000 * known[way].seconds:.0f} ms" if way in known else ""
        theirs = PAPER.get(way, ("", ""))
        lines.append(
            f"| {said} | {parameters(own):,} | {own_memory(scale, way) / 1e6:.0f} MB | {step} | {parameters(full):,} | "
            f"{theirs[0]} | {full_memory(full) / 1e9:.1f} GB | {theirs[1]} |"
        )
    return "\n".join([*lines, "", *_notes(list(known.values())), ""])


def _notes(timed: Sequence[Timed]) -> list[str]:
    """What the columns stand for."""
    said = (
        f"XL/2: {FULL_BATCH} pictures of {FULL_TOKENS} tokens, captions of {FULL_WORDS}, {KEPT} numbers of 4 bytes a "
        "parameter, blocks that keep what they are given; the paper does not say at which batch its memory was read."
    )
    if not timed:
        return [said]
    of = timed[0]
    return [f"{said} Steps: all three in turn, {of.threads} thread{'s' * (of.threads > 1)}, {of.hardware}."]
