"""The explicit table of recipes, and the way from a file or a name to one value."""

from collections.abc import Callable, Mapping
from pathlib import Path

import yaml

from pinxit.errors import ConfigError
from pinxit.recipes import emoji, pixart
from pinxit.recipes.recipe import Recipe

RECIPES: Mapping[str, Callable[[], Recipe]] = {
    "demo": emoji.demo,
    "emoji": emoji.shipped,
    "own": emoji.own,
    "smallest": emoji.smallest,
    "pixart": pixart.paper,
}


def load_recipe(source: str) -> Recipe:
    """The recipe of a name in the table, or of a YAML file that names a `base` and what differs from it."""
    if source in RECIPES:
        return RECIPES[source]()
    file = Path(source)
    if not file.is_file():
        raise ConfigError("recipe", source, f"neither a file nor one of {', '.join(RECIPES)}", "name one of them")
    try:
        changes = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError("recipe", source, f"it is not YAML ({error})", "mend the file") from error
    if not isinstance(changes, dict):
        raise ConfigError("recipe", source, "it holds no settings", "start with a line such as `base: own`")
    base = changes.pop("base", None)
    if base is None:
        return Recipe.model_validate(changes)
    if base not in RECIPES:
        raise ConfigError("base", base, f"it is none of {', '.join(RECIPES)}", "name one of them")
    return Recipe.model_validate(merge(RECIPES[base]().model_dump(), changes))


def merge(base: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """`base` with `changes` laid over it, branch by branch; a branch of another `kind` replaces the old one whole, and
    a branch that is set to nothing is left out.
    """
    merged = dict(base)
    for name, value in changes.items():
        old = merged.get(name)
        if value is None and isinstance(old, dict):
            del merged[name]
        elif (
            isinstance(value, dict) and isinstance(old, dict) and value.get("kind", old.get("kind")) == old.get("kind")
        ):
            merged[name] = merge(old, value)
        else:
            merged[name] = value
    return merged


def dump_recipe(recipe: Recipe) -> str:
    """The resolved recipe as YAML that can be run again."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
