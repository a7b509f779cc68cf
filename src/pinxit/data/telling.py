"""What a caption of one thing or two tells, slot by slot; every way to say it in the dense grammar, and the way back.

The grammar is that of `words.py`, without keywords, stacking and threes:

```
caption  = thing [where] ground | article colour "background with" thing [where]
         | [size] "drawing of" concept [where] ground "; " style "style"
         | thing relation thing ground
relation = "to the left of" | "to the right of" | "above" | "below" | "beside"
```
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pinxit.data.kind import Placed
from pinxit.data.palette import PALETTE, STYLE_WORDS
from pinxit.data.words import article, ground, is_plural, named

SIZES = ("small", "large")
PLACES = (
    "in the centre", "on the left", "on the right", "at the top", "at the bottom",
    "at the top left", "at the top right", "at the bottom left", "at the bottom right",
)  # fmt: skip
TURNED: Mapping[str, str] = {
    "left of": "right of", "right of": "left of", "above": "below", "below": "above", "beside": "beside",
}  # fmt: skip
GRAMMAR = "a an and or of to the it them with drawing style background"
RESERVED = frozenset(
    " ".join((GRAMMAR, *SIZES, *PLACES, *TURNED, *PALETTE, *STYLE_WORDS.values())).lower().split()
)  # fmt: skip

_STYLES = {words: style for style, words in STYLE_WORDS.items()}


def _any(names: Mapping[str, object] | tuple[str, ...]) -> str:
    return "|".join(sorted(names, key=len, reverse=True))


_CONCEPT = r"[^\W\d_][\w'’ -]*?"
_THING = rf"(?:an? )?(?:({'|'.join(SIZES)}) )?({_any(_STYLES)}) ({_CONCEPT})"
_WHERE = rf"(?: ({_any(PLACES)}))?"
_GROUND = rf"on an? ({_any(PALETTE)}) background"
_LONE = re.compile(rf"{_THING}{_WHERE} {_GROUND}")
_GROUND_FIRST = re.compile(rf"an? ({_any(PALETTE)}) background with {_THING}{_WHERE}")
_DRAWING = re.compile(rf"an? (?:({'|'.join(SIZES)}) )?drawing of (?:an? )?({_CONCEPT}){_WHERE} {_GROUND}; (.+) style")
_TWO = re.compile(rf"{_THING} (?:to the )?({_any(TURNED)}) {_THING} {_GROUND}")


@dataclass(frozen=True)
class Thing:
    """One thing: its concept, the style that drew it, and its size; empty where nothing is said of it."""

    concept: str
    style: str = ""
    size: str = ""


@dataclass(frozen=True)
class Telling:
    """One thing or two, `relation` of the first to the second, `where` a lone one stands; empty: not said."""

    things: tuple[Thing, ...]
    background: str = ""
    where: str = ""
    relation: str = ""

    def turned(self) -> "Telling":
        """The same, told from the second thing on."""
        return Telling(self.things[::-1], self.background, self.where, TURNED.get(self.relation, ""))


def is_sayable(concept: str) -> bool:
    """Whether a concept's words can be told from those of the grammar: at most three, none of them reserved."""
    words = re.split(r"[ -]", concept.lower())
    plain = re.fullmatch(r"[A-Za-z][A-Za-z' -]*", concept) is not None
    return plain and len(concept.split()) <= 3 and not RESERVED.intersection(words)


def ways(told: Telling) -> list[str]:
    """Every way to say it: of two things the style, the background and a relation are always said."""
    things = [named(Placed(thing.concept, thing.style, (0, 0, 0, 0), 0), thing.size) for thing in told.things]
    if len(things) == 2:
        return [_related(things, told), _related(things[::-1], told.turned())]
    thing, where = told.things[0], f" {told.where}".rstrip()
    concept = thing.concept if is_plural(thing.concept) else article(thing.concept)
    drawing = article(f"{thing.size} drawing of {concept}".strip())
    return [
        f"{things[0]}{where} {ground(told.background)}",
        f"{article(told.background)} background with {things[0]}{where}",
        f"{drawing}{where} {ground(told.background)}; {STYLE_WORDS[thing.style]} style",
    ]


def read(text: str) -> Telling | None:
    """What a caption tells; None for a text that is not one of the ways to say it, to the letter."""
    told = _parsed(text)
    if told is None or any(RESERVED.intersection(re.split(r"[ -]", t.concept.lower())) for t in told.things):
        return None
    return told if text in ways(told) else None


def _parsed(text: str) -> Telling | None:
    if found := _TWO.fullmatch(text):
        size, style, concept, relation, size_2, style_2, concept_2, background = found.groups("")
        things = Thing(concept, _STYLES[style], size), Thing(concept_2, _STYLES[style_2], size_2)
        return Telling(things, background, relation=relation)
    if found := _DRAWING.fullmatch(text):
        size, concept, where, background, style = found.groups("")
        return Telling((Thing(concept, _STYLES[style], size),), background, where) if style in _STYLES else None
    if found := _LONE.fullmatch(text):
        size, style, concept, where, background = found.groups("")
    elif found := _GROUND_FIRST.fullmatch(text):
        background, size, style, concept, where = found.groups("")
    else:
        return None
    return Telling((Thing(concept, _STYLES[style], size),), background, where)


def _related(things: list[str], told: Telling) -> str:
    joined = f"to the {told.relation}" if "of" in told.relation else told.relation
    return f"{things[0]} {joined} {things[1]} {ground(told.background)}"
