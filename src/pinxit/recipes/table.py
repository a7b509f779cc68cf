"""The explicit table of recipes, and the way from a file or a name to one value."""

from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from pinxit.config import Config
from pinxit.errors import ConfigError
from pinxit.recipes import emoji, few, pixart
from pinxit.recipes.recipe import Recipe
from pinxit.recipes.tree import merge, validated

RECIPES: Mapping[str, Callable[[], Recipe]] = {
    "demo": emoji.demo,
    "emoji": emoji.shipped,
    "own": emoji.own,
    "few": few.few,
    "smallest": emoji.smallest,
    "pixart": pixart.paper,
    "pixart-scaled": pixart.scaled,
}


def load_recipe(source: str) -> Recipe:
    """The recipe of a name in the table, or of a YAML file that names a `base` and what differs from it."""
    if source in RECIPES:
        return RECIPES[source]()
    file = Path(source)
    if not file.is_file():
        raise ConfigError("recipe", source, f"neither a file nor one of {', '.join(RECIPES)}", "name one of them")
    changes = read_yaml(file)
    base = changes.pop("base", None)
    if base is not None and base not in list(RECIPES):
        raise ConfigError(f"{source}: base", base, f"it is none of {', '.join(RECIPES)}", "name one of them")
    tree = changes if base is None else merge(RECIPES[base]().model_dump(), changes)
    return validated(Recipe, tree, where=f"{source}: ")


def read_yaml(file: Path) -> dict[str, object]:
    """The settings that a file holds."""
    try:
        changes = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        why = " ".join(str(error).split())
        raise ConfigError("recipe", str(file), f"it is not YAML ({why})", "mend the file") from error
    if not isinstance(changes, dict):
        raise ConfigError("recipe", str(file), "it holds no settings", "start with a line such as `base: own`")
    return _named(changes)


def _named(tree: Mapping[object, object]) -> dict[str, object]:
    """The tree with text for names: what YAML reads as nothing is a setting here, and a stage may be called 1."""
    names = {"null" if name is None else str(name): value for name, value in tree.items()}
    return {name: _named(value) if isinstance(value, dict) else value for name, value in names.items()}


def dump_recipe(recipe: Config) -> str:
    """The resolved recipe as YAML that can be run again."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
