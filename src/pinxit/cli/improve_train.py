"""`pinxit improve train PREFS --out DIR`: from preferences to an improver of answers.

pinxit improve train preferences.jsonl --out runs/improver
pinxit improve train preferences.jsonl --model models/smollm2-135m --out runs/improver
pinxit improve train hh-rlhf --model models/smollm2-135m
pinxit improve train runs/improver
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field
from tyro.conf import Positional

from pinxit.cli.parse import HELP, parse, read, settings
from pinxit.cli.say import say
from pinxit.cli.stop import Stopping, going_on
from pinxit.config import Config
from pinxit.improve.config import ImproveConfig
from pinxit.recipes.pit import improvement
from pinxit.recipes.tree import SettingsError, validated

RESOLVED = "recipe.yaml"  # of a run folder


class Which(Config):
    """From which preferences, and which model with them."""

    prefs: Positional[str] = Field(
        description="file or folder of preferences, a run folder to go on with, or a set: scenes, hh-rlhf, summaries"
    )
    model: str | None = Field(
        None, description="folder of a causal language model; none: a small decoder, trained from scratch"
    )
    adapters: bool = Field(True, description="train adapters (LoRA) of the model; --no-adapters: all its weights")


class Arguments(ImproveConfig, Which, Stopping):
    """Learns to improve answers from pairs of better and worse (PIT); run the same command again to go on after a stop.

    Example: pinxit improve train preferences.jsonl --out runs/improver
    """

    out: Path = Field(description="the run folder, which Improver.load opens")


def main(verb: str, words: Sequence[str]) -> None:
    """Trains what the words name, and prints what to try with it."""
    arguments = read_all(verb, words)
    config = ImproveConfig.model_validate(arguments.model_dump(include=set(ImproveConfig.model_fields)))
    budget = arguments.budget
    with going_on(lambda: _again(verb, words, arguments.out)):
        from pinxit.recipes.improvement import improve

        improve(config, arguments.out, budget)
    folder = shlex.quote(str(arguments.out))
    say(f"the improver: {arguments.out.resolve()}")
    say(f"next: pinxit improve text PROMPT --show --improver {folder}")


def read_all(verb: str, words: Sequence[str]) -> Arguments:
    """The recipe for those preferences, with what the words change in it."""
    which = told(words)
    folder = Path(which.prefs)
    if (folder / RESOLVED).is_file():
        from pinxit.recipes.preference import read_improvement

        if which.model is not None:
            raise SettingsError([f"--model: {folder} has a model already; leave it out, or name preferences"])
        base, out = read_improvement(folder / RESOLVED), folder
    else:
        base, out = improvement(which.prefs, which.model, adapters=which.adapters), Path("runs") / folder.stem
    default = Arguments.model_validate({**base.model_dump(), **which.model_dump(), "out": out})
    return parse(Arguments, verb, words, default)


def told(words: Sequence[str]) -> Which:
    """Preferences and model, whatever else the words set."""
    anything = Arguments.model_validate({**improvement("").model_dump(), "prefs": "", "out": Path()})
    said = read(list(settings(anything)), [word for word in words if word not in HELP])
    if HELP.intersection(words):
        said = {"prefs": "preferences.jsonl", **said}
    given = {name: said[name] for name in Which.model_fields if name in said}
    return validated(Which, given, spell=lambda path: path.upper() if path == "prefs" else f"--{path}")


def _again(verb: str, words: Sequence[str], out: Path) -> str:
    """The command that goes on: with the run folder, once it holds its recipe."""
    return shlex.join([*verb.split(), str(out)] if (out / RESOLVED).is_file() else [*verb.split(), *words])
