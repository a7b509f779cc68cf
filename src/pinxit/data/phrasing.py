"""What counting says of captions: how long they are, how much of them an encoder reads, which are repeated."""

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from pinxit.config import Config
from pinxit.data.density import batches, digest_all
from pinxit.log import Bar

TOGETHER = 4096  # captions counted at once
SHOWN = 5  # of the most repeated captions
PARTS = (0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


class Lengths(Config):
    """How long captions are: their mean, and which length so many of them do not pass (`PARTS`)."""

    mean: float
    parts: tuple[int, ...]


class Repeated(Config):
    """A caption, and how many times it stands there."""

    text: str
    times: int


class Phrasing(Config):
    """The captions of `pictures`; `bare` have none. Of `captions` a number is a repetition of an earlier one.

    `limit` is how many tokens the encoder reads, `over` counts captions that are longer, `lost` the tokens that it does
    not read, and `emptied` those of which its cleaning leaves nothing; all none where there is no encoder.
    """

    pictures: int
    bare: int
    captions: int
    repeated: int
    most_repeated: tuple[Repeated, ...]
    words: Lengths | None
    tokens: Lengths | None
    limit: int | None
    over: int | None
    lost: int | None
    emptied: int | None


@dataclass(frozen=True)
class Reader:
    """A text encoder as a counter: the tokens of texts, 0 where cleaning leaves nothing, and the most that it reads."""

    count: Callable[[Sequence[str]], list[int]]
    limit: int


def phrase(captions: Callable[[], Iterable[Sequence[str]]], pictures: int, reader: Reader | None) -> Phrasing:
    """What the captions of pictures look like; `captions` starts them anew."""
    words, tokens = array("q"), array("q")
    with Bar("reading captions", None, unit="captions") as bar:
        for part in batches((text for picture in captions() for text in picture), TOGETHER):
            words.extend(len(text.split()) for text in part)
            if reader is not None:
                tokens.extend(reader.count(part))
            bar.move(len(words))
    kinds = digest_all(captions())
    bare = kinds.count - len(np.unique(kinds.pictures))
    _, first, times = np.unique(kinds.texts, return_index=True, return_counts=True)
    counts = None if reader is None else np.array(tokens, np.int64)
    limit = 0 if reader is None else reader.limit
    excess = None if counts is None else np.maximum(counts - limit, 0)
    return Phrasing(
        pictures=pictures,
        bare=bare,
        captions=len(words),
        repeated=len(words) - len(first),
        most_repeated=_most_repeated(captions, first, times),
        words=_lengths(np.array(words, np.int64)),
        tokens=None if counts is None else _lengths(counts),
        limit=limit or None,
        over=None if excess is None else int((excess > 0).sum()),
        lost=None if excess is None else int(excess.sum()),
        emptied=None if counts is None else int((counts == 0).sum()),
    )


def _lengths(counts: np.ndarray) -> Lengths | None:
    if not len(counts):
        return None
    parts = np.quantile(counts, PARTS, method="inverted_cdf")
    return Lengths(mean=float(counts.mean()), parts=tuple(int(part) for part in parts))


def _most_repeated(
    captions: Callable[[], Iterable[Sequence[str]]], first: np.ndarray, times: np.ndarray
) -> tuple[Repeated, ...]:
    """The texts that stand there most often, the most frequent first."""
    top = [int(number) for number in np.lexsort((first, -times))[:SHOWN] if times[number] > 1]
    wanted = {int(first[number]): int(times[number]) for number in top}
    texts = (text for picture in captions() for text in picture)
    found = {place: text for place, text in enumerate(islice(texts, max(wanted, default=-1) + 1)) if place in wanted}
    return tuple(Repeated(text=found[place], times=count) for place, count in wanted.items())
