"""`pinxit convert SOURCE DEST --to FORM`: PixArt's weights between pinxit, diffusers and the original layout.

pinxit convert PixArt-XL-2-1024-MS.pth models/pixart.safetensors --to pinxit --autoencoder vae --text t5
pinxit convert runs/own exported --to diffusers
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from tyro.conf import Positional, arg

from pinxit.cli.parse import parse
from pinxit.cli.say import say
from pinxit.generate.config import Form, SourceConfig


class Arguments(SourceConfig):
    """Writes weights in another form, with every key accounted for and every number as it was.

    SOURCE: run folder or model file of pinxit; .pth or safetensors of PixArt-α or -Σ in the original layout; folder of
    diffusers, the network's or the pipeline's; class-conditional DiT in either form, which becomes a text transformer.

    Example: pinxit convert PixArt-XL-2-512x512.pth exported --to diffusers
    """

    source: Positional[Annotated[Path, arg(metavar="SOURCE")]] = Field(description="weights, in any of these forms")
    dest: Positional[Annotated[Path, arg(metavar="DEST")]] = Field(description="file or folder to write")
    to: Annotated[Form, arg(name="to")] = Field(description="pinxit (a file), diffusers (a folder), pixart (a file)")


def main(verb: str, words: list[str]) -> None:
    """Converts what the words name."""
    run(parse(Arguments, verb, words))


def run(arguments: Arguments) -> None:
    """Converts, and says what was found and written."""
    from pinxit.generate.convert import convert

    for line in convert(arguments.source, arguments.dest, arguments.to, arguments):
        say(line)
    say(f"written to {arguments.dest}")
