"""`pinxit data caption`: by a folder or a server, its account, its next command, one line for what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pinxit.data.caption import REQUEST, REQUEST_WITH_CAPTION
from pinxit.data.records import read_records
from tests.cli.conftest import Answer
from tests.data.server import Reply, serve
from tests.data.vision import make_model, write

Run = Callable[..., Answer]


@pytest.fixture
def records(tmp_path: Path) -> Path:
    return write(tmp_path / "my records", [["a fox"], [], ["an owl"]])


def test_a_server_captions_and_its_account_is_printed(pinxit: Run, records: Path) -> None:
    bad = Reply("too large", 413)
    with serve(lambda request, _: bad if "an owl" in str(request) else Reply("a red fox on a hill")) as chat:
        answer = pinxit("data", "caption", str(records), "--endpoint", chat.url)
    assert answer.status == 0
    lines = {" ".join(line.split()[:-1]): line.split()[-1] for line in answer.out.splitlines()}
    assert (lines["pictures"], lines["captioned now"], lines["without an answer"]) == ("3", "2", "1")
    assert answer.out.splitlines()[-1] == f"next: pinxit data audit '{records}'"
    assert "my records.captions/failed.jsonl; the same command asks about them again" in answer.out
    assert set(chat.texts()) == {
        REQUEST, REQUEST_WITH_CAPTION.replace("{caption}", "a fox"), REQUEST_WITH_CAPTION.replace("{caption}", "an owl")
    }  # fmt: skip
    said = read_records(records)
    assert [one.text for one in said.captions(0)] == ["a fox", "a red fox on a hill"]
    assert [one.text for one in said.captions(2)] == ["an owl"]
    with serve(lambda *_: Reply("an owl at last")) as chat:
        again = pinxit("data", "caption", str(records), "--endpoint", chat.url, "--model", "tiny", "--share", "1")
    assert again.status == 0
    assert len(chat.asked) == 3  # another address is another captioner


def test_a_model_in_a_folder_captions(pinxit: Run, records: Path, tmp_path: Path) -> None:
    model = make_model(tmp_path / "tiny")
    words = ("data", "caption", str(records), "--model", str(model), "--device", "cpu", "--tokens", "4")
    assert pinxit(*words, "--batch", "2").status == 0
    wording = read_records(records).wording
    assert wording is not None
    ((_, told),) = wording.captioners.items()
    assert (told["model"], told["tokens"], len(str(told["source"]))) == ("tiny", 4, 64)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("What is this?\n", {"What is this?"}),
        ("More than {caption}?", {"More than a fox?", "More than an owl?", REQUEST}),
    ],
)
def test_ones_own_request_takes_the_place_of_the_papers(
    pinxit: Run, records: Path, tmp_path: Path, text: str, asked: set[str]
) -> None:
    file = tmp_path / "request.txt"
    file.write_text(text)
    with serve(lambda *_: Reply()) as chat:
        assert pinxit("data", "caption", str(records), "--endpoint", chat.url, "--request", str(file)).status == 0
    assert set(chat.texts()) == asked


def test_a_stop_prints_the_command_that_goes_on(pinxit: Run, records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pinxit.cli.data_caption.caption", stop)
    with serve(lambda *_: Reply()) as chat:
        answer = pinxit("data", "caption", str(records), "--endpoint", chat.url)
    assert answer.status == 130
    assert answer.out == f"go on with: pinxit data caption '{records}' --endpoint {chat.url}\n"


def test_what_cannot_work_is_one_line(pinxit: Run, records: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text(" \n")
    wrong = {
        (str(records),): (2, "nobody is there to caption"),
        (str(tmp_path), "--model", "x"): (1, "it is no RECORDS folder"),
        (str(records), "--model", str(tmp_path)): (1, "no config.json there"),
        (str(records), "--endpoint", "http://127.0.0.1:9/v1"): (1, "no server answers"),
        (str(records), "--endpoint", "http://127.0.0.1:9/v1", "--model", "a", "--share", "2"): (2, "--share = '2'"),
        (str(records), "--endpoint", "x", "--model", "a", "--request", str(tmp_path / "empty.txt")): (2, "is empty"),
        (str(records), "--endpoint", "x", "--model", "a", "--request", "nowhere.txt"): (1, "nowhere.txt"),
    }
    for words, (status, said) in wrong.items():
        answer = pinxit("data", "caption", *words)
        assert (answer.status, answer.err.count("\n")) == (status, 1), answer.err
        assert said in answer.err
    assert not (records / "captions.json").exists()


def test_the_folder_tells_who_wrote(pinxit: Run, records: Path) -> None:
    with serve(lambda *_: Reply()) as chat:
        assert pinxit("data", "caption", str(records), "--endpoint", chat.url, "--share", "0.6").status == 0
    told = json.loads((records / "captions.json").read_text())
    assert (told["share"], told["pictures"], told["written"], told["bare"]) == (0.6, 3, 3, 0)
    ((_, how),) = told["captioners"].items()
    assert (how["model"], how["source"], how["request"]) == ("tiny", chat.url, REQUEST)
