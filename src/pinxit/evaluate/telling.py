"""The exact judge of a caption that was to tell stated facts: it reads the caption by the grammar, and counts.

Every fact that was asked for is told right, told wrong (its slot holds something else) or not told. The score is
(right - wrong) / facts: 1 where all is right, 0 where as much is wrong as right, -1 at least. A thing too many is one
more wrong. What is not a caption in the grammar, to the letter, tells nothing and scores -1: a list of facts copied, a
choice of alternatives, a slot filled twice, words before or behind. Of what was not asked for anything may be told.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pinxit.data.telling import Telling, read

SIDEWAYS = ("left of", "right of")


@dataclass(frozen=True)
class Told:
    """Of so many facts so many are told right, and wrong; `is_broken`: the text is no caption in the grammar."""

    facts: int
    right: int
    wrong: int
    is_broken: bool = False

    @property
    def score(self) -> float:
        """From -1 to 1."""
        return -1.0 if self.is_broken else max(-1.0, (self.right - self.wrong) / self.facts)


def judge(asked: Telling, text: str) -> Told:
    """How a text tells what was asked; of two things told, each is held against the one that it fits best."""
    facts = count_facts(asked)
    told = read(text)
    if told is None:
        return Told(facts, 0, 0, is_broken=True)
    ways = [told, told.turned()] if len(told.things) == 2 else [told]
    extra = max(0, len(told.things) - len(asked.things))
    pairs = [list(_slots(asked, way)) for way in ways]
    if len(asked.things) > len(told.things):
        pairs.append(list(_slots(asked.turned(), told)))
    counts = [(sum(map(_is_right, some)), sum(map(_is_wrong, some))) for some in pairs]
    right, wrong = max(counts, key=lambda count: count[0] - count[1])
    return Told(facts, right, wrong + extra)


def count_facts(asked: Telling) -> int:
    """How many slots say something."""
    return sum(bool(wanted) for wanted, _ in _slots(asked, asked))


def _slots(asked: Telling, told: Telling) -> Iterator[tuple[str, str]]:
    """What every slot should say and what it says, in the order in which the things are told."""
    for place, thing in enumerate(asked.things):
        other = told.things[place] if place < len(told.things) else None
        for slot in ("concept", "style", "size"):
            yield getattr(thing, slot), getattr(other, slot) if other else ""
    yield asked.background, told.background
    yield asked.where, told.where
    beside = told.relation == "beside" and asked.relation in SIDEWAYS  # true as far as it goes
    yield asked.relation, "" if beside else told.relation


def _is_right(slot: tuple[str, str]) -> bool:
    wanted, found = slot
    return bool(wanted) and wanted == found


def _is_wrong(slot: tuple[str, str]) -> bool:
    wanted, found = slot
    return bool(wanted) and bool(found) and wanted != found
