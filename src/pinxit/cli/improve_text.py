"""`pinxit improve text PROMPT`: an answer, improved until no gain is predicted.

pinxit improve text "owl fire truck blue" --improver runs/improver
pinxit improve text "owl fire truck blue" --answer "an owl" --rounds 5 --show --improver runs/improver
"""

from pathlib import Path

from pydantic import Field
from tyro.conf import Positional

from pinxit.cli.parse import parse
from pinxit.cli.say import say
from pinxit.config import Config


class Arguments(Config):
    """Improves an answer to the prompt: the policy's, or one that is given. Prints the last one that was taken.

    Example: pinxit improve text "owl fire truck blue" --show --improver runs/improver
    """

    prompt: Positional[str] = Field(description="what the answer is to")
    answer: str | None = Field(None, description="to begin with, may be empty; none: the policy's")
    rounds: int | None = Field(None, ge=0, description="most improvements; none: the improver's own number")
    show: bool = Field(False, description="print every round with its predicted gap")
    improver: Path | None = Field(None, description="what `pinxit improve train` wrote; none: the one that ships")
    seed: int = Field(0, ge=0)
    device: str = Field("auto", description="cpu, cuda, cuda:1; auto: a CUDA GPU where there is one")


def main(verb: str, words: list[str]) -> None:
    """Improves what the words say."""
    run(parse(Arguments, verb, words))


def run(arguments: Arguments) -> None:
    """Improves, and prints the answer, or how it came about."""
    from pinxit.improve.folder import find_improver
    from pinxit.improve.refine import Improver
    from pinxit.models.device import choose_device

    place = find_improver(arguments.improver)
    device = choose_device(arguments.device)
    improver = Improver.load(place, rounds=arguments.rounds, seed=arguments.seed, device=device)
    answer = improver.first([arguments.prompt])[0] if arguments.answer is None else arguments.answer
    trace = improver.trace([arguments.prompt], [answer])[0]
    say(str(trace) if arguments.show else trace.answer)
