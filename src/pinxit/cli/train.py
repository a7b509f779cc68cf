"""`pinxit train RECIPE --out FOLDER`: a recipe from its name, a YAML file or a run folder; or on from where it stopped.

pinxit train own --stages.own.data.folder data/own --stages.own.images 20000 --out runs/own
pinxit train own.yaml --out runs/own
pinxit train runs/own
"""

import re
import shlex
from collections.abc import Sequence
from inspect import cleandoc
from pathlib import Path

from pydantic import Field

from pinxit.cli.parse import HELP, parse
from pinxit.cli.say import say
from pinxit.cli.stop import going_on
from pinxit.recipes.recipe import Recipe
from pinxit.recipes.table import RECIPES, load_recipe
from pinxit.recipes.tree import SettingsError

RESOLVED = "recipe.yaml"  # of a run folder


class Arguments(Recipe):
    """Trains all stages of a recipe; run the same command again to go on after a stop.

    Example: pinxit train own --stages.own.data.folder data/own --stages.own.images 20000 --out runs/own
    """

    out: Path = Field(description="the run folder")


def main(verb: str, words: Sequence[str]) -> None:
    """Trains what the words name, and prints where the model and the page are."""
    if words and words[0] in HELP:
        say(help_text())
        return
    arguments = read(verb, words)
    with going_on(lambda: _again(verb, words, arguments.out)):
        from pinxit.recipes.own import train_recipe

        page = train_recipe(Recipe.model_validate(arguments.model_dump(exclude={"out"})), arguments.out)
    say(f"the page: {page.resolve()}")


def read(verb: str, words: Sequence[str]) -> Arguments:
    """The recipe that the first word names, with what the others change."""
    if not words or words[0].startswith("-"):
        raise SettingsError([f"RECIPE: none was named; begin with a YAML file, a run folder or {_choices()}"])
    source, rest = words[0], words[1:]
    if (Path(source) / RESOLVED).is_file():
        source, rest = str(Path(source) / RESOLVED), ["--out", source, *rest]
    base = load_recipe(source)
    default = Arguments.model_validate({**base.model_dump(), "out": Path("runs") / base.name})
    return parse(Arguments, f"{verb} {source}", rest, default)


def help_text() -> str:
    """What the verb does, whatever the recipe."""
    what, _, example = cleandoc(Arguments.__doc__ or "").splitlines()
    summaries = {name: re.split("[.:]", make.__doc__ or "")[0] for name, make in RECIPES.items()}
    return "\n".join([
        "usage: pinxit train RECIPE [--out FOLDER] [--SETTING VALUE ...]",
        "",
        what,
        "RECIPE is a YAML file with a `base` and what differs from it, the folder of a run to go on with, or one of",
        *(f"  {name:<9} {summary}" for name, summary in summaries.items()),
        "",
        example,
        "",
        "`pinxit train own --help` shows every setting of one recipe, with its value.",
    ])  # fmt: skip


def _choices() -> str:
    *first, last = RECIPES
    return f"one of {', '.join(first)} and {last}"


def _again(verb: str, words: Sequence[str], out: Path) -> str:
    """The command that goes on: with the run folder, once it holds its recipe."""
    return shlex.join([*verb.split(), str(out)] if (out / RESOLVED).is_file() else [*verb.split(), *words])
