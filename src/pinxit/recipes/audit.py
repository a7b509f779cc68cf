"""The audit of a RECORDS folder: what training will get of its pictures and captions, counted before it begins."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64

from pinxit.config import Config
from pinxit.data.bucket import buckets
from pinxit.data.config import AuditConfig
from pinxit.data.density import Density, count_nouns, load_tagger
from pinxit.data.fitting import DROPPED, BucketUse, Fitting, fit_all
from pinxit.data.phrasing import Phrasing, Reader, phrase
from pinxit.data.records import Records, read_records
from pinxit.data.twin import NONE, sign, twins_of
from pinxit.evaluate.interval import drawn_mean
from pinxit.log import read_lines
from pinxit.recipes.material import draw_held_out
from pinxit.rng import numpy_at

IMPORTED, WRITTEN = "as imported", "as written by the captioner"


class Nouns(Config):
    """What was tagged: `of` pictures in all; the counts are of those that were `drawn`, at least so many in the whole.

    `low` and `high` are the 95 % interval of the nouns a picture in the whole.
    """

    drawn: int
    of: int
    density: Density
    low: float
    high: float


class CaptionSet(Config):
    """Captions of one origin, counted and tagged; `nouns` is none where nothing was tagged."""

    name: str
    phrasing: Phrasing
    nouns: Nouns | None


class Pair(Config):
    """A picture and an earlier one, or one of training, that it nearly repeats."""

    key: str
    like: str


class Audit(Config):
    """All figures of the page: `found` = `used` + `rejected`; of the used, encoding refuses the `dropped`, which are
    too long, and the `bare`, which have no caption.
    """

    source: str
    how: AuditConfig
    found: int
    used: int
    reasons: Mapping[str, int]
    rejected: tuple[Mapping[str, object], ...]
    ignored: Mapping[str, int]
    same_bytes: int
    buckets: tuple[BucketUse, ...]
    dropped: tuple[str, ...]
    bare: int
    captions: tuple[CaptionSet, ...]
    repeated: tuple[Pair, ...]
    held_out_leaks: tuple[Pair, ...]
    test: str | None
    test_pictures: int
    test_leaks: tuple[Pair, ...]
    licences: Mapping[str, int] | None


@dataclass(frozen=True)
class Findings:
    """The audit with what the page shows pictures from: places in the records and in those of the test."""

    audit: Audit
    records: Records
    test: Records | None
    fitting: Fitting
    pairs: Mapping[str, tuple[tuple[int, int], ...]]  # what kind: picture, and the one that it repeats


def audit(folder: Path, how: AuditConfig, reader: Reader | None, test: Path | None = None) -> Findings:
    """Everything is counted; nothing is encoded, and of each picture under 100 bytes are held.

    Raises DataError where training would take no step, and MissingExtra where nouns are wanted without a tagger.
    """
    records, other = read_records(folder), None if test is None else read_records(test)
    tagger = load_tagger() if how.nouns else None
    choice = buckets(how.resolution, how.multiple, aspect=how.buckets)
    fitting = fit_all(np.array(records.sizes, np.int64).reshape(-1, 2), choice)
    uses = fitting.uses(how.batch)
    sets = tuple(
        CaptionSet(
            name=name, phrasing=phrase(texts, len(records), reader),
            nouns=None if tagger is None else _nouns(texts, len(records), how, partial(count_nouns, tagger=tagger)),
        )
        for name, texts in _origins(records)
    )  # fmt: skip
    pairs = _pairs(records, other, held_out_of(fitting, how))
    keys, test_keys = records.keys, [] if other is None else other.keys
    report = records.report
    said = Audit(
        source=report.source,
        how=how,
        found=report.found,
        used=report.used,
        reasons=report.reasons,
        rejected=tuple(read_lines(folder / "rejected.jsonl")),
        ignored=report.ignored,
        same_bytes=report.duplicates,
        buckets=uses,
        dropped=tuple(keys[place] for place in np.flatnonzero(fitting.bucket == DROPPED)),
        bare=sets[0].phrasing.bare if records.wording is None else records.wording.bare,
        captions=sets,
        repeated=tuple(Pair(key=keys[i], like=keys[j]) for i, j in pairs["repeated"]),
        held_out_leaks=tuple(Pair(key=keys[i], like=keys[j]) for i, j in pairs["held out"]),
        test=None if test is None else str(test),
        test_pictures=len(test_keys),
        test_leaks=tuple(Pair(key=test_keys[i], like=keys[j]) for i, j in pairs["test"]),
        licences=records.licences(),
    )
    return Findings(said, records, other, fitting, pairs)


def held_out_of(fitting: Fitting, how: AuditConfig) -> Bool[np.ndarray, "n"]:
    """The pictures that `pinxit train` would keep from training, if it encodes all that the buckets take."""
    used = np.flatnonzero(fitting.bucket != DROPPED)
    flags = np.zeros(len(fitting.bucket), bool)
    flags[used[list(draw_held_out(len(used), how.held_out, how.seed))]] = True
    return flags


def _origins(records: Records) -> Iterator[tuple[str, Callable[[], Iterable[Sequence[str]]]]]:
    """The captions that pictures were imported with, and those that captioners wrote beside them."""
    yield IMPORTED, lambda: ([one.text for one in captions] for captions in records.wordings(imported=True))
    if records.wording is not None:
        yield WRITTEN, partial(_written, records)


def _written(records: Records) -> Iterator[list[str]]:
    for old, all_of_them in zip(records.wordings(imported=True), records.wordings(), strict=True):
        yield [one.text for one in all_of_them[len(old) :]]


def _nouns(
    texts: Callable[[], Iterable[Sequence[str]]],
    pictures: int,
    how: AuditConfig,
    count: Callable[..., tuple[Density, Int64[np.ndarray, "drawn"]]],
) -> Nouns:
    """The nouns of all pictures, or of a sample of them that is the same each time."""
    if how.sample is None or how.sample >= pictures:
        chosen = np.ones(pictures, bool)
    else:
        chosen = np.zeros(pictures, bool)
        chosen[numpy_at(how.seed, "audit").choice(pictures, how.sample, replace=False)] = True
    density, each = count(compress(texts(), chosen), compress(texts(), chosen))
    low, high = drawn_mean(each.astype(float), pictures)
    return Nouns(drawn=len(each), of=pictures, density=density, low=max(0.0, low), high=high)


def _pairs(
    records: Records, test: Records | None, is_held_out: Bool[np.ndarray, "n"]
) -> dict[str, tuple[tuple[int, int], ...]]:
    """Pictures that repeat an earlier one, and those held out or of the test that training gives away."""
    seen = None if test is None else sign(test)
    repeated, leak = twins_of(sign(records), is_held_out, seen)
    return {
        "repeated": _listed(repeated),
        "held out": _listed(leak[: len(records)]),
        "test": _listed(leak[len(records) :]),
    }


def _listed(found: Int64[np.ndarray, "n"]) -> tuple[tuple[int, int], ...]:
    return tuple((int(place), int(found[place])) for place in np.flatnonzero(found != NONE))
