"""`pinxit data caption`: by a folder or a server, its account, its next command, one line for what is wrong."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pinxit.data.cache import Cache
from pinxit.data.caption import REQUEST, REQUEST_WITH_CAPTION
from pinxit.data.records import read_records
from tests.cli.conftest import Answer
from tests.data.double import Codec, Words
from tests.data.server import Reply, serve
from tests.data.test_cluster import in_turn
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


def test_a_cluster_captions_as_this_machine_does(
    pinxit: Run, records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("pinxit.data.cluster_caption.work_off", in_turn(asked))
    monkeypatch.chdir(tmp_path)
    model = make_model(Path("tiny"))
    words = ("data", "caption", records.name, "--model", str(model), "--device", "cpu", "--tokens", "4")
    assert pinxit(*words, "--engine", "ray").status == 0
    said = list(read_records(records).wordings())
    assert len(asked) == 1
    again = pinxit(*words)  # by another engine nothing is left to do
    assert "captioned before" in again.out
    assert list(read_records(records).wordings()) == said


def test_a_server_has_no_other_engine(pinxit: Run, records: Path) -> None:
    answer = pinxit("data", "caption", str(records), "--endpoint", "http://localhost:1/v1", "--engine", "ray")
    assert (answer.status, answer.err.count("\n")) == (2, 1)
    assert "a server shares out its own work; leave out --engine, or name a model's folder" in answer.err


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


def test_a_process_that_is_killed_loses_no_caption_and_asks_for_none_twice(pinxit: Run, tmp_path: Path) -> None:
    many = write(tmp_path / "many", [[f"number {n}"] for n in range(12)])
    journal = many.with_name("many.captions") / "journal.jsonl"
    code = "from pinxit.cli.main import main; main()"
    with serve(lambda *_: Reply(seconds=0.2)) as chat:
        words = ["data", "caption", str(many), "--endpoint", chat.url, "--model", "tiny", "--at-once", "2"]
        with subprocess.Popen([sys.executable, "-c", code, *words], stdout=subprocess.DEVNULL) as first:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and (not journal.is_file() or journal.read_text().count("\n") < 4):
                time.sleep(0.02)
            first.kill()
        before = [json.loads(line)["key"] for line in journal.read_text().splitlines()[1:]]
        asked = len(chat.asked)
        assert 3 <= len(before) < 12
        assert not (many / "captions.json").exists()
        done = pinxit(*words)
    assert f"captioned before {len(before)}" in " ".join(done.out.split())
    keys = [json.loads(line).get("key") for line in journal.read_text().splitlines()]
    assert sorted(keys[1:]) == sorted(read_records(many).keys)
    assert len(chat.asked) - asked == 12 - len(before)
    assert all(len(captions) == 2 for captions in read_records(many).wordings())


def test_training_draws_new_captions_by_their_share_and_keeps_what_is_encoded(
    pinxit: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinxit.models.autoencoder.load_autoencoder", lambda config, device: Codec())
    monkeypatch.setattr("pinxit.models.text.load_text", lambda config, device: Words())
    own = write(tmp_path / "own", [["a fox"], ["an owl"]])
    assert pinxit("data", "encode", str(own), "--resolution", "32").status == 0
    (first,) = tmp_path.joinpath("own.cache").iterdir()
    with serve(lambda *_: Reply("a red fox on a hill")) as chat:
        assert pinxit("data", "caption", str(own), "--endpoint", chat.url, "--share", "0.6").status == 0
    assert pinxit("data", "encode", str(own), "--resolution", "32", "--captions-only").status == 0
    (second,) = set(tmp_path.joinpath("own.cache").iterdir()) - {first}
    assert (second / "latent-00000.arrow").samefile(first / "latent-00000.arrow")
    assert [Cache(second)[place].weights for place in range(2)] == [pytest.approx((0.4, 0.6))] * 2
    assert [Cache(first)[place].weights for place in range(2)] == [(1.0,)] * 2
