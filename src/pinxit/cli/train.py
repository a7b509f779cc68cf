"""`pinxit train RECIPE --out FOLDER`: a recipe from its name, a YAML file or a run folder; or on from where it stopped.

pinxit train own --stages.own.data.folder data/own --stages.own.images 20000 --out runs/own
pinxit train own.yaml --out runs/own
pinxit train runs/own --stop-at "2 h"
"""

import re
import shlex
from collections.abc import Sequence
from inspect import cleandoc
from pathlib import Path

from pydantic import Field

from pinxit.cli.parse import HELP, parse
from pinxit.cli.say import say
from pinxit.cli.stop import Stopping, going_on
from pinxit.recipes.recipe import Recipe
from pinxit.recipes.table import RECIPES, load_recipe
from pinxit.recipes.tree import SettingsError

RESOLVED = "recipe.yaml"  # of a run folder


class Arguments(Recipe, Stopping):
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
    recipe = Recipe.model_validate(arguments.model_dump(include=set(Recipe.model_fields)))
    budget = arguments.budget
    with going_on(lambda: _again(verb, words, arguments.out)):
        from pinxit.recipes.own import train_recipe

        page = train_recipe(recipe, arguments.out, budget)
    say(f"the page: {page.resolve()}")


def read(verb: str, words: Sequence[str]) -> Arguments:
    """The recipe that the first word names, with what the others change."""
    source, rest = named(words)
    if source != words[0]:
        rest = ["--out", words[0], *rest]
    base = load_recipe(source)
    default = Arguments.model_validate({**base.model_dump(), "out": Path("runs") / base.name})
    return parse(Arguments, f"{verb} {source}", rest, default)


def named(words: Sequence[str]) -> tuple[str, list[str]]:
    """The recipe that the first word names, of a run folder its file, and the words that are left."""
    if not words or words[0].startswith("-"):
        raise SettingsError([f"RECIPE: none was named; begin with a YAML file, a run folder or {_choices()}"])
    source, *rest = words
    resolved = Path(source) / RESOLVED
    return (str(resolved) if resolved.is_file() else source), rest


def help_text() -> str:
    """What the verb does, whatever the recipe."""
    what, _, example = cleandoc(Arguments.__doc__ or "").splitlines()
    return "\n".join([
        "usage: pinxit train RECIPE [--out FOLDER] [--stop-at AMOUNT] [--SETTING VALUE ...]",
        "",
        what,
        *recipes_text("the folder of a run to go on with"),
        "",
        example,
        "",
        "`pinxit train own --help` shows every setting of one recipe, with its value.",
    ])  # fmt: skip


def recipes_text(folder: str) -> list[str]:
    """Lines that say what a recipe may be named by; `folder` says what a folder stands for."""
    summaries = {name: re.split("[.:]", make.__doc__ or "")[0] for name, make in RECIPES.items()}
    return [
        f"RECIPE is a YAML file with a `base` and what differs from it, {folder}, or one of",
        *(f"  {name:<{max(map(len, RECIPES))}}  {summary}" for name, summary in summaries.items()),
    ]


def _choices() -> str:
    *first, last = RECIPES
    return f"one of {', '.join(first)} and {last}"


def _again(verb: str, words: Sequence[str], out: Path) -> str:
    """The command that goes on: with the run folder, once it holds its recipe."""
    return shlex.join([*verb.split(), str(out)] if (out / RESOLVED).is_file() else [*verb.split(), *words])
