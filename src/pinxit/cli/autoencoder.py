"""`pinxit autoencoder --out FOLDER`: the small autoencoder, trained on emoji art as the one that ships was.

pinxit autoencoder --out runs/autoencoder
pinxit train demo --autoencoder.file runs/autoencoder/autoencoder.safetensors --out runs/other
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from pinxit.cli.parse import parse
from pinxit.cli.say import say
from pinxit.cli.stop import going_on
from pinxit.recipes.recipe import AutoencoderRecipe

WEIGHTS = "autoencoder.safetensors"


class Arguments(AutoencoderRecipe):
    """Trains the small autoencoder; run the same command again to go on after a stop.

    Example: pinxit autoencoder --out runs/autoencoder --images 64000 --network.channels 16
    """

    out: Path = Field(Path("runs/autoencoder"), description="the run folder")


def main(verb: str, words: Sequence[str]) -> None:
    """Trains what the words ask for, and prints where the weights are and a command that uses them."""
    arguments = parse(Arguments, verb, words)
    with going_on(lambda: shlex.join([*verb.split(), *words])):
        weights = run(arguments)
    say(f"the weights: {weights.resolve()}")
    say(f"use them with: {next_command(weights)}")


def run(arguments: Arguments) -> Path:
    """The file of the trained weights."""
    from pinxit.data.emoji import prepare
    from pinxit.recipes.autoencoder import train_autoencoder

    prepare(arguments.styles)
    weights = arguments.out / WEIGHTS
    train_autoencoder(AutoencoderRecipe.model_validate(arguments.model_dump(exclude={"out"})), arguments.out, weights)
    return weights


def next_command(weights: Path) -> str:
    """A run that reads its latents through these weights."""
    return shlex.join(["pinxit", "train", "demo", "--autoencoder.file", str(weights), "--out", "runs/other"])
