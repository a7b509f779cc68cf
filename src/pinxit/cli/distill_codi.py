"""`pinxit distill codi --task TASK --from RUN --out FOLDER`: an adapter that makes a few-step tool of finished weights.

pinxit distill codi --task upscale --from runs/own --out runs/upscale
pinxit generate --from runs/own --adapter runs/upscale/adapter.safetensors --condition small.png
"""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from tyro.conf import arg

from pinxit.cli.parse import HELP, parse, read, settings
from pinxit.cli.say import say
from pinxit.cli.stop import Stopping, going_on
from pinxit.config import Config
from pinxit.recipes.recipe import Recipe
from pinxit.recipes.tree import validated

RESOLVED = "recipe.yaml"  # of a run folder
Task = Literal["upscale", "inpaint", "edges", "depth", "edit"]


class Which(Config):
    """What is distilled, from which weights, on which pictures."""

    task: Task = Field("upscale", description="what pictures are made from")
    source: Annotated[str, arg(name="from")] = Field(
        "shipped", alias="from", description="run folder or model file whose network learns the task"
    )
    objective: Literal["ours", "printed", "published"] = Field(
        "ours", description="as the paper prints it, or as its code was published; ours differs from both"
    )
    data: str | None = Field(None, description="a RECORDS folder of own pictures; none: scenes of the emoji art")


class Arguments(Recipe, Which, Stopping):
    """Teaches a network one task in 1 to 8 steps, in one stage; run the same command again to go on after a stop.

    Example: pinxit distill codi --task upscale --from runs/own --out runs/upscale
    """

    out: Path = Field(description="the run folder")


def main(verb: str, words: Sequence[str]) -> None:
    """Distils what the words ask for, and prints where the adapter is."""
    arguments = read_all(verb, words)
    recipe = Recipe.model_validate(arguments.model_dump(include=set(Recipe.model_fields)))
    budget = arguments.budget
    with going_on(lambda: _again(verb, words, arguments.out)):
        from pinxit.generate.adapter import ADAPTER
        from pinxit.recipes.own import train_recipe

        page = train_recipe(recipe, arguments.out, budget)
    say(f"the page:    {page.resolve()}")
    say(f"the adapter: {(arguments.out / ADAPTER).resolve()}")


def read_all(verb: str, words: Sequence[str]) -> Arguments:
    """The recipe of the task for those weights, with what the words change in it."""
    which = told(words)
    from pinxit.generate.card import model_file, read_card
    from pinxit.recipes.codi import codi

    card = read_card(model_file(None if which.source == "shipped" else Path(which.source)))
    base = codi(which.task, card, which.source, which.data, which.objective)
    out = Path("runs") / which.task
    default = Arguments.model_validate({**base.model_dump(), **which.model_dump(by_alias=True), "out": out})
    return parse(Arguments, verb, words, default)


def told(words: Sequence[str]) -> Which:
    """Task, weights and pictures, whatever else the words set."""
    said = read(list(settings(Which())), [word for word in words if word not in HELP])
    names = {field.alias or name for name, field in Which.model_fields.items()}
    return validated(
        Which, {name: value for name, value in said.items() if name in names}, spell=lambda path: f"--{path}"
    )


def _again(verb: str, words: Sequence[str], out: Path) -> str:
    """The command that goes on: with the run folder, once it holds its recipe."""
    return shlex.join(["pinxit", "train", str(out)] if (out / RESOLVED).is_file() else [*verb.split(), *words])
