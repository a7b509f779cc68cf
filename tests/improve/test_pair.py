"""Preferences: every usual form gives the same pair, every bad row is counted with its place, parts share no prompt."""

import gzip
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from pinxit.errors import DataError
from pinxit.improve.form import read_transcript, write_prompt
from pinxit.improve.pair import Limit, Pair, Reason, Refused, admit, part_pairs, read_pairs

PAIR = ("what is red", "a red apple", "a pear")


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


PLAIN = {"prompt": PAIR[0], "chosen": PAIR[1], "rejected": PAIR[2]}
FORMS: dict[str, Mapping[str, object]] = {
    "plain": PLAIN,
    "other names": {"question": PAIR[0], "better": PAIR[1], "worse": PAIR[2], "score": 3},
    "messages": {"prompt": [user(PAIR[0])], "chosen": [assistant(PAIR[1])], "rejected": [assistant(PAIR[2])]},
    "messages after a text": {"prompt": PAIR[0], "chosen": [assistant(PAIR[1])], "rejected": [assistant(PAIR[2])]},
    "conversations": {
        "chosen": [user(PAIR[0]), assistant(PAIR[1])],
        "rejected": [user(PAIR[0]), assistant(PAIR[2])],
    },
    "conversations beside their prompt": {
        "prompt": PAIR[0],
        "chosen": [user(PAIR[0]), assistant(PAIR[1])],
        "rejected": [user(PAIR[0]), assistant(PAIR[2])],
    },
    "from and value": {
        "prompt": PAIR[0],
        "chosen": [{"from": "gpt", "value": PAIR[1]}],
        "rejected": [{"from": "gpt", "value": PAIR[2]}],
    },
    "transcripts": {
        "chosen": f"\n\nHuman: {PAIR[0]}\n\nAssistant: {PAIR[1]}",
        "rejected": f"\n\nHuman: {PAIR[0]}\n\nAssistant: {PAIR[2]} ",
    },
    "comparison": {
        "info": {"post": PAIR[0], "title": "red"},
        "summaries": [{"text": PAIR[2]}, {"text": f" {PAIR[1]}"}],
        "choice": 1,
    },
}
DIALOGUE = "\n\nHuman: hi\n\nAssistant: hello.\n\nHuman: what is red?\n\nAssistant:"


def lines(file: Path, rows: list[object]) -> Path:
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_pair(form: str) -> None:
    assert admit("here", FORMS[form]) == Pair(*PAIR, "here")


def test_a_dialogue_is_split_at_its_last_answer() -> None:
    pair = admit("", {"chosen": f"{DIALOGUE} a rose.\n\nAnd blood.", "rejected": f"{DIALOGUE} no"})
    prompt = "Human: hi\n\nAssistant: hello.\n\nHuman: what is red?"
    assert pair == Pair(prompt, "a rose.\n\nAnd blood.", "no")
    chat = [user("hi"), assistant("hello."), user("what is red?")]
    row = {"chosen": [*chat, assistant("a rose.\n\nAnd blood.")], "rejected": [*chat, assistant("no")]}
    assert admit("", row) == pair
    assert write_prompt(read_transcript(prompt)) == prompt


@pytest.mark.parametrize(
    ("row", "reason", "detail"),
    [
        (None, Reason.MALFORMED, "not a JSON object"),
        ({}, Reason.MALFORMED, "no chosen and rejected"),
        ({**PLAIN, "rejected": None}, Reason.MALFORMED, "its columns: prompt, chosen, rejected"),
        ({**PLAIN, "prompt": 3}, Reason.MALFORMED, "neither texts nor lists"),
        ({"chosen": "a", "rejected": "b"}, Reason.MALFORMED, "begins with no turn"),
        ({"chosen": f"{DIALOGUE} a", "rejected": DIALOGUE.replace("hi", "ho") + " b"}, Reason.MALFORMED, "differ"),
        ({"chosen": DIALOGUE + " a\n\nHuman: b", "rejected": f"{DIALOGUE} b"}, Reason.MALFORMED, "does not end with"),
        ({**PLAIN, "chosen": [{"role": "judge", "content": "a"}]}, Reason.MALFORMED, "the role 'judge'; known are"),
        ({**PLAIN, "chosen": [{"role": "user"}]}, Reason.MALFORMED, "content is no text"),
        ({**PLAIN, "chosen": ["a"]}, Reason.MALFORMED, "no object"),
        ({**PLAIN, "chosen": []}, Reason.MALFORMED, "neither"),
        ({**FORMS["comparison"], "choice": 2}, Reason.MALFORMED, "its choice is 2"),
        ({**FORMS["comparison"], "summaries": []}, Reason.MALFORMED, "two summaries"),
        ({**PLAIN, "chosen": "\ud800"}, Reason.MALFORMED, "better answer is not Unicode"),
        ({**PLAIN, "chosen": "  "}, Reason.EMPTY, "better answer is empty"),
        ({**PLAIN, "prompt": ""}, Reason.EMPTY, "prompt is empty"),
        ({**PLAIN, "chosen": "a pear "}, Reason.EQUAL, "the same"),
        ({**PLAIN, "rejected": "a " * 40}, Reason.LONG, "its worse answer has 40 tokens, over 8"),
        ({**PLAIN, "prompt": "a " * 40}, Reason.LONG, "its prompt has 40 tokens, over 16"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(row: Mapping[str, object] | None, reason: Reason, detail: str) -> None:
    refused = admit("file:3", row, Limit(16, 8, lambda text: len(text.split())))
    assert isinstance(refused, Refused)
    assert (refused.place, refused.reason) == ("file:3", reason)
    assert detail in refused.detail


def test_a_row_of_another_script_or_with_markers_is_used_as_it_is() -> None:
    row = {"prompt": "什么是红的", "chosen": "苹果是红的 <answer>", "rejected": "\\<better> é🙂"}
    assert admit("", row) == Pair("什么是红的", "苹果是红的 <answer>", "\\<better> é🙂")


def test_rows_of_a_file_are_used_or_listed_with_their_line(tmp_path: Path) -> None:
    rows: list[object] = [PLAIN, "{torn", "", FORMS["transcripts"], {**PLAIN, "chosen": ""}, "[]"]
    reading = read_pairs(lines(tmp_path / "preferences.jsonl", rows))
    assert [pair.place for pair in reading.pairs] == ["preferences.jsonl:1", "preferences.jsonl:4"]
    assert [refused.place for refused in reading.refused] == [f"preferences.jsonl:{line}" for line in (2, 5, 6)]
    assert reading.counts() == {"found": 5, "used": 2, "malformed": 2, "empty": 1, "equal answers": 0, "over length": 0}


@pytest.mark.parametrize("form", ["plain", "conversations", "transcripts", "comparison"])
@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "parquet", "folder", "saved", "json"])
def test_every_kind_of_file_gives_the_same_pairs(tmp_path: Path, form: str, kind: str) -> None:
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    rows: list[object] = [FORMS[form]] * 3
    table = Dataset.from_list(rows)
    place = tmp_path / f"data.{kind}"
    if kind == "jsonl":
        lines(place, rows)
    elif kind == "jsonl.gz":
        place.write_bytes(gzip.compress(lines(tmp_path / "plain", rows).read_bytes()))
    elif kind == "parquet":
        table.to_parquet(place)
    elif kind == "folder":
        place.mkdir()
        table.to_parquet(place / "train-00000-of-00001.parquet")
    elif kind == "saved":
        table.save_to_disk(place)
    else:
        place.write_text(json.dumps(rows))
    reading = read_pairs(place)
    assert [(pair.prompt, pair.better, pair.worse) for pair in reading.pairs] == [PAIR] * 3
    assert len({pair.place for pair in reading.pairs}) == 3


def test_a_source_of_no_use_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is nothing there; name JSON lines, parquet"):
        read_pairs(tmp_path / "none")
    with pytest.raises(DataError, match=r"no row can be used of 1; the first: a\.jsonl:1: no chosen and rejected"):
        read_pairs(lines(tmp_path / "a.jsonl", [{"text": "a"}]))
    with pytest.raises(DataError, match="no row can be used of 0"):
        read_pairs(lines(tmp_path / "empty.jsonl", []))
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(DataError, match="`datasets` cannot read it"):
        read_pairs(tmp_path / "torn.parquet")
    (tmp_path / "torn.jsonl.gz").write_bytes(gzip.compress(b"{}\n" * 99)[:-9])
    with pytest.raises(DataError, match="it cannot be read"):
        read_pairs(tmp_path / "torn.jsonl.gz")


def test_parts_are_thirds_by_prompt_whatever_the_order_and_the_neighbours() -> None:
    pairs = [Pair(f"prompt {i // 3}", f"better {i}", "worse") for i in range(9000)]
    parts = part_pairs(pairs, held_out=0.1)
    each = (parts.imitation, parts.reward, parts.reinforcement, parts.held_out)
    prompts = [{pair.prompt for pair in part} for part in each]
    assert sum(map(len, each)) == 9000
    assert sum(map(len, prompts)) == len(set.union(*prompts)) == 3000
    assert all(abs(len(part) - 900) < 90 for part in prompts[:3])
    assert abs(len(prompts[3]) - 300) < 60
    backwards = part_pairs(pairs[::-1], held_out=0.1)
    assert set(backwards.imitation) == set(parts.imitation)
    assert set(part_pairs(pairs[:600], held_out=0.1).reward) == set(parts.reward) & set(pairs[:600])


def test_too_few_prompts_for_three_parts_are_refused() -> None:
    with pytest.raises(DataError, match=r"parts of \[\d, \d, \d\] pairs .* give pairs with more different prompts"):
        part_pairs([Pair(*PAIR)])
