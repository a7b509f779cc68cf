"""The journal finds the last line of every picture, whatever was torn, and holds little in memory."""

from pathlib import Path

import numpy as np

from pinxit.data.journal import NONE, Journal
from tests.data.vision import IDENTITY


def marks(*values: int) -> np.ndarray:
    return np.array(values, np.uint64)


def test_the_last_line_of_a_picture_counts(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    big = 2**64 - 1
    for mark, text in ((5, "a"), (big, "b"), (5, "c — é"), (0, "d")):
        journal.add(mark, str(mark), "x", text, is_cut=False)
    journal.add(5, "5", "y", "of another", is_cut=True)
    found = journal.find(marks(7, 5, big, 0), "x")
    assert found[0] == NONE
    assert [journal.read(int(place)) for place in found[1:]] == ["c — é", "b", "d"]
    assert journal.read(int(journal.find(marks(5), "y")[0])) == "of another"


def test_without_a_file_or_a_picture_nothing_is_found(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    assert journal.find(marks(1, 2), "x").tolist() == [NONE, NONE]
    assert journal.captioners() == {}
    journal.add(1, "1", "x", "a", is_cut=False)
    assert journal.find(marks(), "x").tolist() == []
    assert journal.find(marks(1), "y").tolist() == [NONE]


def test_a_torn_line_costs_itself_alone(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    journal = Journal(file)
    journal.add(1, "1", "x", "a", is_cut=False)
    with file.open("ab") as opened:
        opened.write('{"mark": "02", "by": "x", "text": "é'.encode()[:-1])
    journal.add(3, "3", "x", "b", is_cut=False)
    found = journal.find(marks(1, 2, 3), "x")
    assert found[1] == NONE
    assert [journal.read(int(found[place])) for place in (0, 2)] == ["a", "b"]


def test_a_captioner_is_introduced_once_and_has_a_name_of_its_own(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    other = IDENTITY.model_copy(update={"temperature": 0.3})
    for identity in (IDENTITY, other, IDENTITY):
        journal.introduce(identity)
    assert len(journal.file.read_text().splitlines()) == 2
    assert journal.captioners() == {one.name: one.model_dump() for one in (IDENTITY, other)}
