"""`pinxit train RECIPE --out FOLDER`: a recipe from its name, a YAML file or a run folder; or on from where it stopped.

pinxit train emoji --out runs/emoji --stages.alignment.images 200000
pinxit train own.yaml --out runs/own
"""

import shlex
import sys
from pathlib import Path

from pydantic import Field

from pinxit.cli.parse import parse
from pinxit.config import Config
from pinxit.errors import ConfigError, Stopped
from pinxit.log import console
from pinxit.recipes.recipe import Recipe


class Arguments(Config):
    """Trains all stages of a recipe; run the same command again to go on after a stop.

    Example: pinxit train own.yaml --out runs/own --stages.own.images 20000
    """

    out: Path = Field(Path("runs/run"), description="the run folder")
    recipe: Recipe


def main(verb: str, words: list[str]) -> None:
    """Trains what the words name."""
    from pinxit.recipes.table import RECIPES, load_recipe

    if not words or words[0].startswith("-"):
        if words and words[0] in {"-h", "--help"}:
            words = ["own", *words]
        else:
            raise ConfigError("recipe", None, "none was named", f"name a YAML file or one of {', '.join(RECIPES)}")
    source, rest = words[0], words[1:]
    if (Path(source) / "recipe.yaml").is_file():
        source, rest = str(Path(source) / "recipe.yaml"), ["--out", source, *rest]
    base = load_recipe(source)
    default = Arguments(out=Path("runs") / base.name, recipe=base)
    run(parse(Arguments, f"{verb} {source}", rest, default))


def run(arguments: Arguments) -> None:
    """Trains, and prints where the model and the page are."""
    from pinxit.recipes.own import train_recipe

    try:
        page = train_recipe(arguments.recipe, arguments.out)
    except Stopped:
        again = f"{Path(sys.argv[0]).name} train {shlex.quote(str(arguments.out))}"
        console.print(f"go on with: {again}", highlight=False, soft_wrap=True)
        raise
    console.print(f"the page: {page.resolve()}", highlight=False, soft_wrap=True)
