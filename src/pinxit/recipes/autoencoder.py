"""How the small autoencoder that ships was trained: emoji art of the training split, at many sizes and places."""

import json
from copy import deepcopy
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from pinxit.data.emoji import Art, load_art
from pinxit.data.kind import Pixels
from pinxit.data.palette import PALETTE
from pinxit.data.pixel import to_pixels
from pinxit.data.scene import Placement, compose
from pinxit.data.split import split
from pinxit.errors import CheckpointError
from pinxit.log import Bar, drop_lines_after
from pinxit.models.autoencoder import SmallAutoencoder
from pinxit.models.identity import SMALL_HEADER
from pinxit.recipes.recipe import AutoencoderRecipe
from pinxit.rng import numpy_at, seed_at
from pinxit.train.autoencoder import AutoencoderObjective, PictureLoader
from pinxit.train.average import Average
from pinxit.train.checkpoint import complete_checkpoints, name_newest, read_checkpoint, write_checkpoint
from pinxit.train.hook import Checkpointer, StepLog, Stopper, follow_average
from pinxit.train.loop import fit
from pinxit.train.optimizer import Optimizer
from pinxit.train.run import Hook, Run
from pinxit.train.state import TrainState


def training_picture(art: Art, recipe: AutoencoderRecipe, place: int) -> Pixels:
    """One or two pieces at any size and place, on a named background or any other colour: a function of the place."""
    rng = numpy_at(recipe.seed, f"autoencoder/{place}")
    named = list(PALETTE)[rng.integers(len(PALETTE))]
    background = named if rng.random() < 0.5 else tuple(int(v) for v in rng.integers(0, 256, 3))
    count = 1 if rng.random() < 0.75 else 2
    placements = []
    for _ in range(count):
        side = int(rng.integers(int(0.5 * recipe.side), recipe.side + 1) / (count**0.5))
        left, top = (int(v) for v in rng.integers(0, recipe.side - side + 1, 2))
        placements.append(Placement(art[int(rng.integers(len(art)))], side, left, top))
    return compose(placements, background, (recipe.side, recipe.side)).picture  # type: ignore[arg-type]


def train_autoencoder(recipe: AutoencoderRecipe, folder: Path, weights: Path) -> None:
    """`weights` holds the averaged autoencoder with standardised latents; goes on where the folder's run stopped."""
    art = split(load_art(recipe.styles)).training
    torch.manual_seed(seed_at(recipe.seed, "weights/autoencoder"))
    network = SmallAutoencoder(recipe.network)
    objective = AutoencoderObjective(network, recipe.leash)
    _claim(folder, recipe)
    average = Average(deepcopy(network), recipe.average)
    state = TrainState(network, average, Optimizer(objective.trained, recipe.optimizer, recipe.images), recipe.seed)
    if saved := complete_checkpoints(folder):
        read_checkpoint(state, saved[-1])
        drop_lines_after(folder / "steps.jsonl", state.seen)
    loader = PictureLoader(lambda place: training_picture(art, recipe, place), recipe.batch)
    with Stopper() as stopper, Bar("autoencoder", recipe.images, state.seen) as bar:
        hooks: list[Hook] = [
            follow_average(recipe.batch),
            StepLog(folder / "steps.jsonl", "autoencoder", bar),
            Checkpointer(folder, stopper, every=120.0),
        ]
        fit(Run(state, objective, loader, recipe.images, recipe.batch, hooks, partial(name_newest, folder)))
    write_checkpoint(state, folder)
    finished = average.model
    assert isinstance(finished, SmallAutoencoder)
    ship(finished, [training_picture(art, recipe, -place) for place in range(1, 1025)], weights)


def _claim(folder: Path, recipe: AutoencoderRecipe) -> None:
    """The folder is this recipe's; CheckpointError if it holds a run of another."""
    file, said = folder / "recipe.json", recipe.model_dump_json(indent=1)
    if complete_checkpoints(folder) and file.is_file() and file.read_text(encoding="utf-8") != said:
        raise CheckpointError(folder, "it holds a run with other settings", "choose another folder, or give its own")
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(said, encoding="utf-8")


@torch.no_grad()
def ship(network: SmallAutoencoder, pictures: list[Pixels], file: Path) -> None:
    """`file` holds the network in half precision, its latents standardised over the pictures."""
    latents = torch.cat([network.encoder(to_pixels(pictures[i : i + 32])) for i in range(0, len(pictures), 32)])
    network.standardise(latents.mean((0, 2, 3)), latents.std((0, 2, 3)))
    file.parent.mkdir(parents=True, exist_ok=True)
    halved = {name: tensor.half().contiguous() for name, tensor in network.state_dict().items()}
    save_file(halved, file, {SMALL_HEADER: json.dumps(network.config.model_dump())})


def psnr(first: Pixels, second: Pixels, mask: np.ndarray | None = None) -> float:
    """Peak signal to noise in dB over 8-bit RGB; inside `mask` alone where one is given."""
    square = (first.astype(np.float64) - second.astype(np.float64)) ** 2
    error = square.mean() if mask is None else square[mask].mean()
    return float(10 * np.log10(255**2 / max(error, 1e-10)))
