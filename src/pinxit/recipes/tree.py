"""Trees of settings: one laid over another, then validated once; each complaint is one line with its full path."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from pinxit.config import Config
from pinxit.errors import ConfigError, PinxitError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Tree = Mapping[str, object]
C = TypeVar("C", bound=Config)


class SettingsError(ConfigError):
    """Settings that cannot work, each on a line of its own."""

    def __init__(self, lines: Sequence[str]) -> None:
        PinxitError.__init__(self, "\n".join(lines))


def merge(base: Tree, changes: Tree) -> dict[str, object]:
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


def validated(model: type[C], tree: Tree, where: str = "", spell: Callable[[str], str] = str) -> C:
    """`tree` as a value of `model`; SettingsError where it cannot be.

    Its lines begin with `where`, such as the name of a file, and have their paths spelled as the user writes them.
    """
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        complaints = error.errors(include_url=False)
        raise SettingsError([where + _line(complaint, tree, spell) for complaint in complaints]) from error


def _line(found: "ErrorDetails", tree: Tree, spell: Callable[[str], str]) -> str:
    """Path, value, what is wrong with it and what is allowed."""
    path, value, context = _path(found["loc"], tree), found["input"], found.get("ctx", {})
    match found["type"]:
        case "extra_forbidden":
            return _unknown(path, value, tree, spell)
        case "missing":
            is_list = isinstance(found["loc"][-1], int)
            return f"{spell(path)}: it {'has too few values' if is_list else 'is missing'}"
        case "union_tag_not_found":
            return f"{spell(f'{path}.kind')}: it is missing"
        case "union_tag_invalid":
            return f"{spell(f'{path}.kind')} = {context['tag']!r}: it should be one of {context['expected_tags']}"
        case "dict_type" | "model_type" | "model_attributes_type":
            return f"{spell(path)} = {value!r}: it should be a branch, with settings below it"
    said = found["msg"].removeprefix("Value error, ").replace("Input should be", "it should be")
    place = spell(path) if isinstance(value, dict) else f"{spell(path)} = {value!r}"
    return f"{place}: {said}" if place else said


def _path(parts: Sequence[str | int], tree: Tree) -> str:
    """The dotted path of a setting: without the kinds that tell unions apart, and without places within a list."""
    named: list[str] = []
    here: object = tree
    for part in parts:
        if isinstance(here, dict) and part not in here and here.get("kind") == part:
            continue
        if isinstance(here, list | tuple):
            break
        named.append(str(part))
        here = here.get(part) if isinstance(here, dict) else None
    return ".".join(named)


def _unknown(path: str, value: object, tree: Tree, spell: Callable[[str], str]) -> str:
    """That there is no such setting, and the one that was probably meant."""
    wrong = next(_leaves(value, path), path)
    known = [leaf for leaf in _leaves(tree) if leaf != path and not leaf.startswith(f"{path}.")]
    near = get_close_matches(wrong, known, n=1, cutoff=0.7) or [leaf for leaf in known if leaf.endswith(f".{wrong}")]
    meant = f"; did you mean {spell(near[0])}?" if near else ""
    return f"{spell(wrong)}: there is no such setting{meant}"


def _leaves(tree: object, path: str = "") -> Iterator[str]:
    """The paths of all single settings below a branch."""
    if not isinstance(tree, dict):
        yield path
        return
    for name, value in tree.items():
        yield from _leaves(value, f"{path}.{name}" if path else str(name))
