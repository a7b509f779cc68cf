"""A captioner behind HTTP: many at once and never more, patient with what may pass, and clear about what will not."""

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pinxit.data.caption import Answer, Question, caption, place_beside
from pinxit.data.captioner import LocalCaptioner
from pinxit.data.endpoint import KEY, TRIES, RemoteCaptioner, Server, find_model
from pinxit.data.journal import Journal
from pinxit.data.records import read_records
from pinxit.errors import DataError
from tests.data.server import Chat, Reply, picture_of, serve
from tests.data.vision import IDENTITY, drawn, make_model, write

Behaviour = Callable[[dict[str, Any], int], Reply]
HTML = Reply(b"<html>Bad gateway</html>")


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were to be waited; nobody waits."""
    slept: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        slept.append(seconds)
        await sleep(0)

    monkeypatch.setattr("pinxit.data.endpoint.asyncio.sleep", note)
    return slept


def questions(count: int) -> list[Question]:
    return [Question(n, f"{n}.png", f"describe {n}", partial(drawn, n)) for n in range(count)]


def answers(chat: Chat, count: int, *, at_once: int = 4, seconds: float = 20.0) -> dict[int, Answer]:
    captioner = RemoteCaptioner(Server(chat.url, at_once, seconds), IDENTITY)
    said = list(captioner.answer(questions(count)))
    assert sorted(answer.question.place for answer in said) == list(range(count))
    return {answer.question.place: answer for answer in said}


def test_it_is_asked_in_the_chat_form_about_the_very_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "secret")
    with serve(lambda request, _: Reply(f"a fox, {request['messages'][0]['content'][1]['text']}")) as chat:
        said = answers(chat, 3)
    assert {place: answer.text for place, answer in said.items()} == {n: f"a fox, describe {n}" for n in range(3)}
    request = next(one for one in chat.asked if "describe 1" in str(one["messages"]))
    assert (request["model"], request["temperature"], request["max_tokens"]) == ("tiny", 0.2, 6)
    assert np.abs(np.asarray(picture_of(request)).astype(float) - drawn(1)).mean() < 25  # noise, through JPEG
    assert chat.keys == ["Bearer secret"] * 3
    assert len({one["seed"] for one in chat.asked}) == 3


@pytest.mark.parametrize("at_once", [1, 5])
def test_as_many_requests_are_open_as_was_said_and_never_more(at_once: int) -> None:
    with serve(lambda *_: Reply(seconds=0.05)) as chat:
        answers(chat, 15, at_once=at_once)
    assert chat.most_open == at_once


def test_no_questions_no_requests() -> None:
    with serve(lambda *_: Reply()) as chat:
        assert answers(chat, 0) == {}
    assert chat.asked == []


@pytest.mark.parametrize(
    "bad",
    [
        Reply("too many", 429), Reply("oh", 500), Reply("oh", 503), Reply(status=0), HTML, Reply(b"{}"), Reply(b"[]"),
        Reply(b'{"choices": []}'), Reply(b"\xff\xfe"), Reply(b""), Reply(None), Reply(""), Reply(" \n"), Reply("…"),
        Reply(b'{"choices": [{"message": "fox"}]}'), Reply(b'{"choices": [{"message": {"content": 7}}]}'),
    ],
)  # fmt: skip
def test_what_may_pass_is_tried_again(bad: Reply, waits: list[float]) -> None:
    with serve(lambda _, before: bad if before < 2 else Reply("a fox")) as chat:
        said = answers(chat, 3)
    assert {answer.text for answer in said.values()} == {"a fox"}
    assert len(chat.asked) == 9
    assert len(waits) == 6


def test_an_answer_that_does_not_come_in_time_is_asked_for_again(waits: list[float]) -> None:
    with serve(lambda _, before: Reply("a fox", seconds=0.0 if before else 1.0)) as chat:
        assert answers(chat, 1, seconds=0.3)[0].text == "a fox"
    assert len(chat.asked) == 2


def test_waits_grow_and_end(waits: list[float]) -> None:
    with serve(lambda *_: Reply("oh", 500)) as chat:
        said = answers(chat, 1)
    assert len(chat.asked) == TRIES
    assert len({one["seed"] for one in chat.asked}) == TRIES  # the same seed would say the same again
    assert all(2**n / 2 <= seconds <= 2**n for n, seconds in enumerate(waits))
    assert said[0].problem.startswith("status 500: ")
    assert said[0].problem.endswith(f"; tried {TRIES} times")


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        ("7", 7, 7), ("0", 0, 0), ("-3", 0, 0), ("1e9", 600, 600), ("soon", 0.5, 1), ("", 0.5, 1),
        (format_datetime(datetime.now(UTC) + timedelta(hours=99), usegmt=True), 600, 600),
        (format_datetime(datetime.now(UTC) - timedelta(hours=99), usegmt=True), 0, 0),
    ],
)  # fmt: skip
def test_the_server_says_how_long_it_wants_to_be_left_alone(
    said: str, least: float, most: float, waits: list[float]
) -> None:
    busy = Reply("too many", 429, (("Retry-After", said),))
    with serve(lambda _, before: Reply("a fox") if before else busy) as chat:
        answers(chat, 1)
    assert least <= waits[0] <= most


def test_what_is_wrong_with_one_picture_fails_that_one_alone(waits: list[float]) -> None:
    with serve(lambda request, _: Reply("too large", 413) if "describe 1" in str(request) else Reply()) as chat:
        said = answers(chat, 3)
    assert [answer.problem[:11] for _, answer in sorted(said.items())] == ["", "status 413:", ""]
    assert len(chat.asked) == 3
    assert waits == []


def test_a_picture_that_cannot_be_read_is_passed_over() -> None:
    def broken() -> np.ndarray:
        raise DataError("1.png", "it is damaged", "import it again")

    asked = [*questions(1), Question(1, "1.png", "describe", broken)]
    with serve(lambda *_: Reply()) as chat:
        said = list(RemoteCaptioner(Server(chat.url, 1), IDENTITY).answer(asked))
    assert [answer.problem for answer in said] == ["", "1.png: it is damaged; import it again"]


def test_a_caption_that_was_cut_is_marked() -> None:
    with serve(lambda *_: Reply("a fox and a fox and", finish="length")) as chat:
        assert answers(chat, 1)[0].is_cut


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_no_picture_can_pass_ends_the_work(status: int, waits: list[float]) -> None:
    with serve(lambda *_: Reply("no", status)) as chat, pytest.raises(DataError, match=f"status {status}.*{KEY}"):
        answers(chat, 20)
    assert len(chat.asked) <= 4


@pytest.mark.parametrize("url", ["nowhere", "ftp://nowhere/v1", "http://[::"])
def test_what_is_no_address_ends_the_work(url: str) -> None:
    with pytest.raises(DataError, match="mend the address"):
        list(RemoteCaptioner(Server(url), IDENTITY).answer(questions(1)))
    with pytest.raises(DataError, match="mend the address"):
        find_model(Server(url))


def test_the_only_model_needs_no_name() -> None:
    with serve(lambda *_: Reply()) as chat:
        assert find_model(Server(chat.url)) == "tiny"
        assert find_model(Server(f"{chat.url}/chat/completions")) == "tiny"
    with pytest.raises(DataError, match="no server answers"):
        find_model(Server(chat.url))
    with serve(lambda *_: Reply(), ("a", "b")) as chat, pytest.raises(DataError, match="2 models: a, b; name one"):
        find_model(Server(chat.url))


def test_a_stop_leaves_open_requests_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = read_records(write(tmp_path / "own", [["a"]] * 6))
    lines: list[str] = []
    add = Journal.add

    def stop(journal: Journal, mark: int, key: str, by: str, text: str, *, is_cut: bool) -> None:
        if len(lines) == 2:
            raise KeyboardInterrupt
        lines.append(key)
        add(journal, mark, key, by, text, is_cut=is_cut)

    with monkeypatch.context() as patched, serve(lambda *_: Reply(seconds=3.0 if len(chat.asked) > 3 else 0)) as chat:
        patched.setattr(Journal, "add", stop)
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            caption(records, RemoteCaptioner(Server(chat.url, 2), IDENTITY), place_beside(records.folder), 0.5)
        assert time.monotonic() - start < 2
    with serve(lambda *_: Reply()) as chat:
        account = caption(records, RemoteCaptioner(Server(chat.url, 2), IDENTITY), place_beside(records.folder), 0.5)
    assert (account.before, len(chat.asked)) == (2, 4)


def test_a_model_says_the_same_in_process_and_behind_a_server(tmp_path: Path) -> None:
    how = IDENTITY.model_copy(update={"temperature": 0.0})
    local = LocalCaptioner(make_model(tmp_path / "tiny"), how, torch.device("cpu"), 1, "full")
    lock = threading.Lock()

    def speak(request: dict[str, Any], _: int) -> Reply:
        text, picture = request["messages"][0]["content"][1]["text"], np.asarray(picture_of(request))
        with lock:
            (answer,) = local.answer([Question(0, "", text, lambda: picture)])
        return Reply(answer.text)

    colours = [partial(np.full, (16, 16, 3), 40 * n, np.uint8) for n in range(6)]
    flat = [Question(n, f"{n}.png", "Describe this image", colour) for n, colour in enumerate(colours)]
    here = {answer.question.place: answer.text for answer in local.answer(flat)}
    spoken = [question for question in flat if here[question.place]]
    assert spoken
    with serve(speak) as chat:
        said = list(RemoteCaptioner(Server(chat.url, 3), how).answer(spoken))
    assert {answer.question.place: answer.text for answer in said} == {q.place: here[q.place] for q in spoken}
