"""`pinxit data audit`: the page beside the records, and one line for what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Answer
from tests.data.double import Words
from tests.data.vision import write

Run = Callable[..., Answer]


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    class Counting(Words):
        def count_all(self, texts: list[str]) -> list[int]:
            return [self.count(text) for text in texts]

    monkeypatch.setattr("pinxit.models.text.load_text", lambda config: Counting())
    return write(tmp_path / "my records", [["a fox"], ["an owl on a hill"], ["a fox"]])


def test_the_page_lies_beside_the_records(pinxit: Run, records: Path) -> None:
    pytest.importorskip("spacy")
    answer = pinxit("data", "audit", str(records), "--resolution", "32", "--batch", "2", "--sample", "2")
    page = records.with_name("my records.audit") / "audit.html"
    assert (answer.status, answer.out.splitlines()[-1]) == (0, str(page.resolve()))
    told = json.loads((page.parent / "audit.json").read_text())
    assert (told["how"]["resolution"], told["used"], told["captions"][0]["nouns"]["drawn"]) == (32, 3, 2)
    assert told["captions"][0]["phrasing"]["limit"] == 64
    assert sorted(file.name for file in records.iterdir()) == ["import.json", "records.arrow", "rejected.jsonl"]


def test_another_folder_may_be_named(pinxit: Run, records: Path, tmp_path: Path) -> None:
    words = ("--out", str(tmp_path / "page"), "--no-nouns", "--test", str(records), "--held-out", "0")
    assert pinxit("data", "audit", str(records), *words).status == 0
    assert len(json.loads((tmp_path / "page" / "audit.json").read_text())["test_leaks"]) == 3


def test_what_cannot_work_is_one_line(pinxit: Run, records: Path, tmp_path: Path) -> None:
    wrong = {
        (str(tmp_path / "none"),): (1, "it is no RECORDS folder"),
        (str(records), "--test", str(tmp_path)): (1, "it is no RECORDS folder"),
        (str(records), "--sample", "0"): (2, "--sample = '0'"),
        (str(records), "--resolution", "100"): (2, "resolution 100 is no multiple of 16"),
    }
    for words, (status, said) in wrong.items():
        answer = pinxit("data", "audit", *words)
        assert (answer.status, answer.err.count("\n")) == (status, 1), answer.err
        assert said in answer.err
