"""Preferences: prompt, better and worse answer; read from files, counted, and parted into three by their prompts."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from pathlib import Path

from pinxit.data.original import printable
from pinxit.errors import DataError
from pinxit.improve.form import MalformedError, read_row
from pinxit.improve.source import Hub, read_rows


@dataclass(frozen=True)
class Pair:
    """Two answers to one prompt, of which one is better; `place` names the row it came from."""

    prompt: str
    better: str
    worse: str
    place: str = ""


class Reason(Enum):
    """Why a row is not used."""

    MALFORMED = "malformed"
    EMPTY = "empty"
    EQUAL = "equal answers"
    LONG = "over length"


@dataclass(frozen=True)
class Refused:
    """A row that is not used, where it stands and why."""

    place: str
    reason: Reason
    detail: str


@dataclass(frozen=True)
class Limit:
    """The most tokens of a prompt and of an answer, and how they are counted."""

    prompt: int
    answer: int
    count: Callable[[str], int]

    def excess(self, pair: Pair) -> str:
        """What is too long of a pair; empty if all fits."""
        for name, text, most in (
            ("prompt", pair.prompt, self.prompt),
            ("better answer", pair.better, self.answer),
            ("worse answer", pair.worse, self.answer),
        ):
            found = self.count(text)
            if found > most:
                return f"its {name} has {found} tokens, over {most}"
        return ""


@dataclass(frozen=True)
class Reading:
    """All rows of a source: `pairs` are used, `refused` are not."""

    source: str
    pairs: tuple[Pair, ...]
    refused: tuple[Refused, ...]

    def counts(self) -> dict[str, int]:
        """How many rows were found, used, and refused for each reason."""
        reasons = Counter(refused.reason.value for refused in self.refused)
        found = len(self.pairs) + len(self.refused)
        return {"found": found, "used": len(self.pairs)} | {each.value: reasons[each.value] for each in Reason}

    def within(self, limit: Limit) -> "Reading":
        """The same with what is too long refused; DataError where nothing is left."""
        long = {pair: excess for pair in self.pairs if (excess := limit.excess(pair))}
        refused = [Refused(pair.place, Reason.LONG, excess) for pair, excess in long.items()]
        used = tuple(pair for pair in self.pairs if pair not in long)
        return _used(Reading(self.source, used, (*self.refused, *refused)))


@dataclass(frozen=True)
class Parts:
    """Pairs for imitation, for rewards and for reinforcement, and those kept from all; no prompt is in two of them."""

    imitation: tuple[Pair, ...]
    reward: tuple[Pair, ...]
    reinforcement: tuple[Pair, ...]
    held_out: tuple[Pair, ...]


def read_pairs(source: Path | Hub, limit: Limit | None = None) -> Reading:
    """The pairs of a file, a folder or a hub's data set in any usual form; DataError where no row can be used."""
    pairs, refused = list[Pair](), list[Refused]()
    for place, row in read_rows(source):
        admitted = admit(place, row, limit)
        if isinstance(admitted, Pair):
            pairs.append(admitted)
        else:
            refused.append(admitted)
    return _used(Reading(str(source), tuple(pairs), tuple(refused)))


def _used(reading: Reading) -> Reading:
    """The reading; DataError where none of its rows can be used."""
    if not reading.pairs:
        refused = reading.refused
        first = f"; the first: {refused[0].place}: {refused[0].detail}" if refused else ""
        problem = f"no row can be used of {len(refused)}{first}"
        raise DataError(reading.source, problem, "name rows with prompt, chosen and rejected, or raise the limits")
    return reading


def admit(place: str, row: Mapping[str, object] | None, limit: Limit | None = None) -> Pair | Refused:
    """The pair of a row, or why it is none: neither answer may be empty; blanks at their ends do not count."""
    if row is None:
        return Refused(place, Reason.MALFORMED, "not a JSON object")
    try:
        pair = Pair(*read_row(row), place)
    except MalformedError as error:
        return Refused(place, Reason.MALFORMED, printable(str(error))[:200])
    named = {"prompt": pair.prompt, "better answer": pair.better, "worse answer": pair.worse}
    for name, text in named.items():
        if printable(text) != text:
            return Refused(place, Reason.MALFORMED, f"its {name} is not Unicode")
        if not text:
            return Refused(place, Reason.EMPTY, f"its {name} is empty")
    if pair.better == pair.worse:
        return Refused(place, Reason.EQUAL, "its two answers are the same")
    excess = limit.excess(pair) if limit else ""
    return Refused(place, Reason.LONG, excess) if excess else pair


def part_pairs(pairs: Iterable[Pair], held_out: float = 0.0) -> Parts:
    """A share held out and the rest in thirds, by a hash of the prompt: equal up to chance, and no pair that comes or
    goes, nor the order of the rows, moves another. DataError where a third is empty.
    """
    parts: list[list[Pair]] = [[], [], [], []]
    for pair in pairs:
        place = int.from_bytes(blake2b(pair.prompt.encode(), digest_size=8).digest(), "little") / 2**64
        kept = (place - held_out) / (1 - held_out)
        parts[3 if place < held_out else min(2, int(3 * kept))].append(pair)
    sizes = [len(part) for part in parts[:3]]
    if not all(sizes):
        problem = f"by their prompts they fall in parts of {sizes} pairs for imitation, rewards and reinforcement"
        raise DataError("the pairs", problem, "give pairs with more different prompts")
    return Parts(*map(tuple, parts))
