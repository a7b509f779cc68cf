"""Arguments of a verb from its words: settings become flags, pydantic's complaints become lines.

tyro writes the help. The words are read here, into a tree that is validated once and as a whole: checked branch by
branch, as tyro does it, a complaint would have lost its path.
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin

import tyro
from tyro.conf import AvoidSubcommands, Positional

from pinxit.config import Config
from pinxit.recipes.tree import SettingsError, merge, validated

A = TypeVar("A", bound=Config)
HELP = {"-h", "--help"}


def parse(arguments: type[A], verb: str, words: Sequence[str], default: A | None = None) -> A:
    """The verb's arguments; SettingsError, a line for each value that cannot be. Help is printed, and exits."""
    base = default or arguments.model_construct()  # which lacks what must be given
    if HELP.intersection(words):
        tyro.cli(arguments, prog=verb, args=["--help"], default=base, config=(AvoidSubcommands,))
    known = list(settings(base))
    positional = {".".join(one.path) for one in known if one.is_positional}
    return validated(
        arguments,
        merge(base.model_dump(by_alias=True), read(known, words)),
        spell=lambda path: path.upper() if path in positional else spell(path),
    )


def spell(path: str) -> str:
    """The flag of a dotted path."""
    return f"--{path.replace('_', '-')}" if path else ""


@dataclass(frozen=True)
class Setting:
    """One setting: its path in the tree, its type (none: nobody knows it), and whether it is given without a flag."""

    path: tuple[str, ...]
    type: Any = None
    is_positional: bool = False

    @property
    def flags(self) -> list[str]:
        """How it is written: `--buckets`, and for a claim also `--no-buckets`."""
        *above, name = self.path
        return [spell(".".join(self.path)), *([spell(".".join([*above, f"no_{name}"]))] if self.type is bool else [])]

    @property
    def takes_several(self) -> bool:
        """Whether all words up to the next flag belong to it."""
        return get_origin(self.type) is tuple

    def value(self, flag: str, words: Sequence[str]) -> object:
        """What was said, for pydantic to convert."""
        if self.takes_several:
            return tuple(words)
        if not words:
            return flag == self.flags[0]
        may_be_none = NoneType in get_args(self.type)
        return None if may_be_none and words[0] in {"none", "None"} else words[0]


def settings(branch: Config, path: tuple[str, ...] = ()) -> Iterator[Setting]:
    """Every single setting of a branch and of those below it, as its values stand."""
    for name, field in type(branch).model_fields.items():
        value = getattr(branch, name, None)
        here = (*path, field.alias or name)
        if isinstance(value, Config):
            yield from settings(value, here)
        elif isinstance(value, dict):
            for key, below in value.items():
                yield from settings(below, (*here, key))
        elif value is not None or not _is_branch(field.annotation):  # a branch that is not there has no flags
            yield Setting(here, field.annotation, Positional in field.metadata)


def _is_branch(annotation: object) -> bool:
    """Whether a setting of that type may be a branch with settings of its own."""
    return any(isinstance(kind, type) and issubclass(kind, Config) for kind in get_args(annotation))


def read(known: Sequence[Setting], words: Sequence[str]) -> dict[str, object]:
    """What the words set, as a tree; flags that nobody knows stay in it, for the validation to refuse."""
    by_flag = {flag: one for one in known if not one.is_positional for flag in one.flags}
    tree: dict[str, object] = {}
    loose: list[str] = []
    rest = deque(words)
    while rest:
        word = rest.popleft()
        if word == "--":
            loose += rest
            break
        if not _is_flag(word):
            loose.append(word)
            continue
        name, is_attached, value = word.partition("=")
        flag = spell(name.lstrip("-"))
        one = by_flag.get(flag) or Setting(tuple(flag[2:].replace("-", "_").split(".")))
        _set(tree, one.path, one.value(flag, [value] if is_attached else _take(one, flag, rest)))
    return {**tree, **_positional(known, loose)}


def _is_flag(word: str) -> bool:
    return re.match(r"--?[A-Za-z]", word) is not None


def _take(one: Setting, flag: str, rest: deque[str]) -> list[str]:
    """The words that belong to a flag, out of those that are left."""
    taken: list[str] = []
    while rest and not _is_flag(rest[0]) and one.type is not bool and (one.takes_several or not taken):
        taken.append(rest.popleft())
    if not taken and one.type not in {bool, None}:
        raise SettingsError([f"{flag}: no value follows it; write one, after = if it begins with a dash"])
    return taken


def _set(tree: dict[str, object], path: Sequence[str], value: object) -> None:
    """The tree holds the value at the path; what stood in its way is gone."""
    first, *below = path
    if not below:
        tree[first] = value
        return
    branch = tree.get(first)
    if not isinstance(branch, dict):
        branch = tree[first] = {}
    _set(branch, below, value)


def _positional(known: Sequence[Setting], words: Sequence[str]) -> Mapping[str, object]:
    """The settings that are given without a flag, in their order, as far as they were given."""
    found: dict[str, object] = {}
    rest = list(words)
    for one in known:
        if one.is_positional and rest:
            count = len(rest) if one.takes_several else 1
            found[one.path[0]] = one.value("", rest[:count])
            rest = rest[count:]
    if rest:
        raise SettingsError([f"{rest[0]!r}: nothing is expected here; a setting is written --NAME VALUE"])
    return found
