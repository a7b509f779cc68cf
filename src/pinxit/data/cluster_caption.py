"""Captioning on a cluster: a Captioner whose answers are given by local ones, one a worker."""

import shutil
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from jaxtyping import UInt64

from pinxit.data.caption import Answer, Question, ask
from pinxit.data.captioner import LocalCaptioner
from pinxit.data.cluster import Rows, Work, file_of, left_over, read_rows, work_off
from pinxit.data.config import CaptionerMemory
from pinxit.data.journal import CaptionerIdentity
from pinxit.data.records import Records, read_records
from pinxit.models.device import choose_device

BLOCK = 256  # pictures: minutes of a GPU, which a stop may lose


@dataclass(frozen=True)
class Captioning:
    """What a worker needs to caption blocks of pictures; all paths are the same on every machine."""

    records: Path
    model: Path
    identity: CaptionerIdentity
    batch: int
    memory: CaptionerMemory

    def __call__(self, device: str) -> Work:
        """The work with the model open."""
        records = read_records(self.records)
        captioner = LocalCaptioner(self.model, self.identity, choose_device(device), self.batch, self.memory)

        def work(_: str, places: Sequence[int]) -> Rows:
            return [
                {"place": answer.question.place, "text": answer.text, "problem": answer.problem, "cut": answer.is_cut}
                for answer in captioner.answer(ask(records, places, self.identity))
            ]

        return work


class ClusterCaptioner:
    """Captions pictures on all machines of a cluster. `spool` holds blocks that are done until their answers are taken:
    those of a former run are the first answers of the next.
    """

    def __init__(self, records: Records, captioning: Captioning, spool: Path, device: str) -> None:
        self.records, self.captioning, self.spool, self.device = records, captioning, spool, device
        self.identity = captioning.identity

    def answer(self, questions: Iterable[Question]) -> Generator[Answer, None, None]:
        """An answer to every question, block by block."""
        asked, marks = {question.place for question in questions}, self.records.marks
        for file in left_over(self.spool):
            rows = read_rows(file)
            if file.stem == _name([int(row["place"]) for row in rows], marks):
                new = [row for row in rows if row["place"] in asked]
                yield from self._answers(new)
                asked.difference_update(int(row["place"]) for row in new)
            file.unlink()
        rest = sorted(asked)
        parts = [rest[first : first + BLOCK] for first in range(0, len(rest), BLOCK)]
        blocks = {_name(part, marks): part for part in parts}
        with closing(work_off(blocks, self.captioning, self.spool, self.device)) as names:
            for name in names:
                file = file_of(self.spool, name)
                yield from self._answers(read_rows(file))
                file.unlink()
        shutil.rmtree(self.spool, ignore_errors=True)

    def _answers(self, rows: Rows) -> Iterator[Answer]:
        places = [int(row["place"]) for row in rows]
        for question, row in zip(ask(self.records, places, self.identity), rows, strict=True):
            yield Answer(question, row["text"], row["problem"], row["cut"])


def _name(places: Sequence[int], marks: UInt64[np.ndarray, "n"]) -> str:
    """A block's name: where it begins, and what its pictures are."""
    chosen = marks[sorted(places)].astype("<u8").tobytes() if max(places) < len(marks) else b""
    return f"{min(places):010d}-{blake2b(chosen, digest_size=8).hexdigest()}"
