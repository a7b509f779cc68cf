"""A vision-language model writes captions for pictures: as dense as the paper's, kept beside the old ones.

Whoever captions is a Captioner: a local model (`captioner.py`) or a server (`endpoint.py`). What it says goes to the
journal at once; when all pictures were asked about, the captions of the records are made from there.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from pinxit.data.alone import alone
from pinxit.data.journal import NONE, CaptionerIdentity, Journal
from pinxit.data.record import Pixels
from pinxit.data.records import Records
from pinxit.data.wording import Wording, write_wording
from pinxit.errors import DataError
from pinxit.ledger.meter import Meter
from pinxit.log import Bar, append_line

# PixArt-α's requests: of its paper, with the clause that its script puts before it where there is a caption
REQUEST = "Describe this image and its style in a very detailed manner"
REQUEST_WITH_CAPTION = (
    'Given the caption of this image "{caption}", describe this image and its style in a very detailed manner'
)
SLOT = "{caption}"
LONG, SHORT = 800, 400  # most pixels of a picture's sides, as in its script
IN_A_ROW = 64  # pictures without an answer, after which there is no use in going on


@dataclass(frozen=True)
class Question:
    """A picture, read when it is needed and from any thread, and what is asked about it."""

    place: int
    key: str
    text: str
    read: Callable[[], Pixels]


@dataclass(frozen=True)
class Answer:
    """What was said of a picture, or why nothing was; `is_cut`: the captioner was stopped at its most tokens."""

    question: Question
    text: str = ""
    problem: str = ""
    is_cut: bool = False


@runtime_checkable  # the tests check signatures at run time
class Captioner(Protocol):
    """Answers questions about pictures, each once, in any order; its answer does not depend on the others."""

    identity: CaptionerIdentity

    def answer(self, questions: Iterable[Question]) -> Generator[Answer, None, None]:
        """An answer to every question; few pictures are in memory at once. DataError where it cannot go on."""
        ...


@dataclass
class Account:
    """Of all pictures: how many were captioned before, now, or not at all; of those now, how many were cut.

    `silent` are those about which nothing was asked.
    """

    pictures: int
    before: int
    now: int = 0
    failed: int = 0
    cut: int = 0

    @property
    def silent(self) -> int:
        """Pictures that stand in no other count, once all were asked about."""
        return self.pictures - self.before - self.now - self.failed


def place_beside(records: Path) -> Path:
    """Where the journal of a RECORDS folder is kept: beside it, so that another import takes it over."""
    folder = records.resolve()
    return folder.with_name(f"{folder.name}.captions")


def caption(records: Records, captioner: Captioner, folder: Path, share: float, *, add: bool = False) -> Account:
    """Every picture has a caption of this captioner beside its old ones, drawn so that `share` falls on the new.

    Pictures without an answer are lines of `failed.jsonl` in `folder`, and are asked about again the next time. With
    `add` the captions of former captioners stay too. Raises DataError where the captioner answers no more.
    """
    with alone(folder), Meter(folder).stage("captions", "caption") as meter:
        journal, by = Journal(folder / "journal.jsonl"), captioner.identity.name
        journal.introduce(captioner.identity)
        marks = records.marks
        known = journal.find(marks, by) != NONE
        account = Account(len(records), int(known.sum()))
        asked = ask(records, np.flatnonzero(~known).tolist(), captioner.identity)
        with Bar("captioning", len(records), account.before) as bar, closing(captioner.answer(asked)) as answers:
            for answer in _watched(answers, folder / "failed.jsonl", account):
                journal.add(
                    int(marks[answer.question.place]), answer.question.key, by, answer.text, is_cut=answer.is_cut
                )
                meter.note(pictures=1)
                bar.move(account.before + account.now, f"{account.failed} failed" if account.failed else "")
        write_captions(records, journal, share, (*_former(records, by), by) if add else (by,))
    return account


def ask(records: Records, places: Iterable[int], how: CaptionerIdentity) -> Iterator[Question]:
    """The questions about some pictures; the one that mentions the old caption is for those that were imported with
    one. Of the others nothing is asked where there is no other request.
    """
    for place in places:
        old = max(records.imported(place), key=lambda one: one.weight, default=None)
        text = how.request if old is None else how.request_with_caption.replace(SLOT, old.text)
        if text:
            yield Question(place, records.key(place), text, partial(_read, records, place))


def _read(records: Records, place: int) -> Pixels:
    return shrink(records[place].picture)


def _watched(answers: Iterable[Answer], failed: Path, account: Account) -> Iterator[Answer]:
    """The answers that have a text; all are counted. DataError where for long there was none."""
    failed.unlink(missing_ok=True)
    in_a_row = 0
    for answer in answers:
        if not answer.problem:
            account.now, account.cut, in_a_row = account.now + 1, account.cut + answer.is_cut, 0
            yield answer
            continue
        append_line(failed, {"key": answer.question.key, "why": answer.problem})
        account.failed, in_a_row = account.failed + 1, in_a_row + 1
        if in_a_row >= IN_A_ROW or account.failed == account.pictures:
            problem = f"{in_a_row} pictures one after another got no caption; the last: {answer.problem}"
            raise DataError(failed, problem, "mend that; the same command then goes on where this one ended")


def write_captions(records: Records, journal: Journal, share: float, captioners: Sequence[str]) -> Wording:
    """The records have their old captions, and what these captioners have said according to the journal."""
    marks, known = records.marks, journal.captioners()
    found = np.stack([journal.find(marks, by) for by in captioners], 1)
    written = (tuple(journal.read(int(place)) for place in row if place != NONE) for row in found)
    said = {by: known[by] for by in captioners}
    return write_wording(records.folder, records.wordings(imported=True), written, share, said)


def _former(records: Records, by: str) -> Iterator[str]:
    """The captioners whose captions the records have, but for this one."""
    return (name for name in (records.wording.captioners if records.wording else ()) if name != by)


def shrink(picture: Pixels) -> UInt8[np.ndarray, "short_height short_width 3"]:
    """The picture with sides of at most `LONG` and `SHORT`; never enlarged."""
    height, width, _ = picture.shape
    scale = min(1.0, LONG / max(height, width), SHORT / min(height, width))
    if scale == 1:
        return picture
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def tidy(text: object) -> str:
    """White space as single blanks, and nothing that is no Unicode text; empty where there is nothing to read."""
    said = text.encode("utf-8", "ignore").decode().replace("\0", "") if isinstance(text, str) else ""
    return " ".join(said.split()) if any(letter.isalnum() for letter in said) else ""
