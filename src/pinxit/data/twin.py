"""Pictures that are nearly the same: re-encoded, resized, hardly retouched; within one import or across two.

A picture's signature is 64 bits of its coarse structure (the lowest cosine frequencies of its grey, each above or below
their median) and its colours at 4 x 4 pixels; both must be near. Of each picture 56 bytes are in memory, whatever its
size. All pairs are found without comparing all: of 64 bits in 7 blocks, 6 differences leave one block untouched.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8, UInt64
from PIL import Image

from pinxit.data.picture import PILLOW_LIMIT, PictureRules, Refusal, decode
from pinxit.data.records import Records
from pinxit.errors import DataError
from pinxit.log import Bar

NEAR = 6  # most bits that differ
NEAR_COLOUR = 12.0  # most levels of 255 that colours differ by, on average
SIDE, LOW, COARSE = 32, 8, 4  # grey pixels, frequencies and colours on a side
ABOUT = 64  # pixels that a picture is decoded to, at least, where its format allows
HELD = 256  # pictures in memory
PAIRS = 1 << 22  # compared at once
NONE = -1
_RULES = PictureRules(most_pixels=PILLOW_LIMIT, least_side=1)


@dataclass(frozen=True)
class Signatures:
    """What is kept of pictures; the bits and colours of one that cannot be decoded are 0, and `known` says so."""

    bits: UInt64[np.ndarray, "n"]
    colours: UInt8[np.ndarray, "n 48"]
    known: Bool[np.ndarray, "n"]

    def __add__(self, other: "Signatures") -> "Signatures":
        """Those of both, one after another."""
        parts = zip(vars(self).values(), vars(other).values(), strict=True)
        return Signatures(*(np.concatenate(part) for part in parts))


def sign(records: Records) -> Signatures:
    """The signatures of all pictures, read on as many threads as there are cores."""
    count = len(records)
    bits, colours, known = np.zeros(count, np.uint64), np.zeros((count, 3 * COARSE**2), np.uint8), np.zeros(count, bool)
    with ThreadPoolExecutor() as pool, Bar("looking at pictures", count) as bar:
        for first in range(0, count, HELD):
            places = range(first, min(count, first + HELD))
            seen = list(pool.map(partial(_glance, records), places))
            found = [place for place, glance in zip(places, seen, strict=True) if glance is not None]
            grey = [glance[0] for glance in seen if glance is not None]
            if found:
                bits[found] = structure(np.stack(grey))
                colours[found] = np.stack([glance[1] for glance in seen if glance is not None])
                known[found] = True
            bar.move(places.stop)
    return Signatures(bits, colours, known)


def _glance(records: Records, place: int) -> tuple[UInt8[np.ndarray, "32 32"], UInt8[np.ndarray, "48"]] | None:
    """A picture's grey at 32 x 32 and its colours at 4 x 4; none if it cannot be decoded."""
    picture = decode(records.encoded(place), _RULES, ABOUT)
    if isinstance(picture, Refusal):
        return None
    image = Image.fromarray(picture)
    grey = image.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    colours = image.resize((COARSE, COARSE), Image.Resampling.BOX)
    return np.asarray(grey), np.asarray(colours).reshape(-1)


def structure(grey: UInt8[np.ndarray, "n 32 32"]) -> UInt64[np.ndarray, "n"]:
    """64 bits a picture: which of the lowest frequencies of its cosine transform are above their median.

    A picture of one colour has none of them.
    """
    waves = _cosines()
    low = np.round(waves @ grey.astype(np.float32) @ waves.T, 2).reshape(len(grey), LOW * LOW)
    low[:, 0] = 0  # the mean, which the colours tell
    above = low > np.median(low, axis=1, keepdims=True)
    packed: UInt64[np.ndarray, n] = np.packbits(above, axis=1).view(">u8")[:, 0].astype(np.uint64)
    return packed


def _cosines() -> Float[np.ndarray, "8 32"]:
    """The lowest rows of the orthonormal cosine transform (DCT-II)."""
    angle = np.pi / SIDE * (np.arange(SIDE) + 0.5) * np.arange(LOW)[:, None]
    waves = np.cos(angle) * np.sqrt(2 / SIDE)
    waves[0] /= np.sqrt(2)
    rows: Float[np.ndarray, "8 32"] = waves.astype(np.float32)
    return rows


def first_alike(signatures: Signatures, sources: Sequence[Bool[np.ndarray, "n"]]) -> list[Int64[np.ndarray, "n"]]:
    """For every picture the first one of each source that is nearly the same, itself included; `NONE` without one."""
    count = len(signatures.bits)
    whole = np.concatenate([signatures.bits.view(np.uint8).reshape(count, 8), signatures.colours], 1)
    kinds, first, kind = np.unique(
        np.ascontiguousarray(whole).view([("", f"V{whole.shape[1]}")])[:, 0], return_index=True, return_inverse=True
    )
    leads = [_lead(kind, source & signatures.known, len(kinds)) for source in sources]
    best = [lead.copy() for lead in leads]
    for one, other in _near(signatures.bits[first], signatures.colours[first]):
        for found, lead in zip(best, leads, strict=True):
            np.minimum.at(found, one, lead[other])
            np.minimum.at(found, other, lead[one])
    alike = [np.where(signatures.known & (found[kind] < count), found[kind], NONE) for found in best]
    return [places.astype(np.int64) for places in alike]


def _lead(kind: Int64[np.ndarray, "n"], source: Bool[np.ndarray, "n"], kinds: int) -> Int64[np.ndarray, "kinds"]:
    """The first picture of a source among those of each kind; n where there is none."""
    lead = np.full(kinds, len(kind), np.int64)
    places = np.flatnonzero(source)
    np.minimum.at(lead, kind[places], places)
    return lead


def _near(
    bits: UInt64[np.ndarray, "kinds"], colours: UInt8[np.ndarray, "kinds 48"]
) -> Iterator[tuple[Int64[np.ndarray, "pairs"], Int64[np.ndarray, "pairs"]]]:
    """All pairs that are near, each at least once."""
    edges = np.linspace(0, 64, NEAR + 2).round().astype(int).tolist()
    for low, high in pairwise(edges):
        block = (bits >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
        order = np.argsort(block, kind="stable")
        cuts = np.flatnonzero(np.diff(block[order])) + 1
        for group in np.split(order, cuts):
            step = max(1, PAIRS // max(1, len(group)))
            for start in range(0, len(group) - 1, step):
                rows, columns = group[start : start + step], group[start + 1 :]
                differ = np.bitwise_count(bits[rows][:, None] ^ bits[columns][None])
                i, j = np.nonzero(np.triu(differ <= NEAR))
                yield from _alike_in_colour(rows[i], columns[j], colours)


def _alike_in_colour(
    one: Int64[np.ndarray, "pairs"], other: Int64[np.ndarray, "pairs"], colours: UInt8[np.ndarray, "kinds 48"]
) -> Iterator[tuple[Int64[np.ndarray, "near"], Int64[np.ndarray, "near"]]]:
    """Those of the pairs whose colours are near too, some at a time."""
    step = PAIRS // 64
    for start in range(0, len(one), step):
        some, others = one[start : start + step], other[start : start + step]
        apart = np.abs(colours[some].astype(np.int16) - colours[others]).mean(1)
        near = apart <= NEAR_COLOUR
        yield some[near], others[near]


def twins_of(
    training: Signatures, is_held_out: Bool[np.ndarray, "n"], test: Signatures | None
) -> tuple[Int64[np.ndarray, "n"], Int64[np.ndarray, "all"]]:
    """For each picture of an import an earlier one that it nearly repeats; and for each picture of both, where it is
    held out or of the test, the training picture that gives it away. `NONE` elsewhere.
    """
    both, count = training if test is None else training + test, len(training.bits)
    if len(is_held_out) != count:
        raise DataError("held out", f"{len(is_held_out)} flags for {count} pictures", "give one a picture")
    own = np.arange(len(both.bits)) < count
    trained = own.copy()
    trained[:count] &= ~is_held_out
    earlier, leak = first_alike(both, (own, trained))
    repeated = np.where(earlier[:count] < np.arange(count), earlier[:count], NONE)
    return repeated, np.where(trained, NONE, leak)
