"""Records whose sparse captions an improver has rewritten: it sees no picture, so it guesses what they leave out."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from pinxit.data.caption import Question
from pinxit.data.kind import Record
from pinxit.improve.caption import ImprovingCaptioner
from pinxit.improve.refine import Improver
from pinxit.log import Bar


class Rewritten(Sequence[Record]):
    """The same records with other sparse captions, each text rewritten once; one that gets no answer stays."""

    def __init__(self, records: Sequence[Record], folder: Path) -> None:
        self.records = records
        self.answers: dict[str, str] = {}
        with Bar("rewriting captions", None, unit="captions") as bar:
            for answer in ImprovingCaptioner(Improver.load(folder), folder).answer(self._questions()):
                self.answers[answer.question.text] = answer.text or answer.question.text
                bar.move(len(self.answers))

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, place: int) -> Record:  # type: ignore[override]
        """Record `place`."""
        record = self.records[place]
        captions = (replace(each, text=self.answers.get(each.text, each.text)) for each in record.captions)
        return replace(record, captions=tuple(captions))

    def _questions(self) -> Iterator[Question]:
        """Every different text once."""
        known = set[str]()
        for place in range(len(self)):
            record = self.records[place]
            for text in {each.text for each in record.captions if each.kind == "sparse"} - known:
                known.add(text)
                yield Question(place, record.key, text, partial(getattr, record, "picture"))
