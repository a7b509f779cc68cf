"""The forms in which people keep preferences: a row becomes prompt, better and worse answer, or a complaint.

- Plain: `prompt`, `chosen`, `rejected`, all text (other usual names of the columns are known too).
- Chat: `chosen` and `rejected` are lists of messages; `prompt` is text, a list of messages, or missing where the lists
  hold the whole conversation. The answer is the last message.
- Transcript, as HH-RLHF is published: `chosen` and `rejected` are whole dialogues of turns "\\n\\nHuman: ..." and
  "\\n\\nAssistant: ...". The answer is the last turn.
- Comparison, as summarise-from-feedback is published: `info` with a `post`, two `summaries`, and the `choice`.

A conversation of one message is a prompt by its text alone; a longer one is written as a transcript.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PROMPT = ("prompt", "question", "instruction", "input")
BETTER = ("chosen", "better", "preferred")
WORSE = ("rejected", "worse", "dispreferred")
SPEAKERS = {"user": "Human", "human": "Human", "assistant": "Assistant", "gpt": "Assistant", "system": "System"}
_TURN = re.compile(r"\n\n(Human|Assistant|System):")


class MalformedError(Exception):
    """What is wrong with a row."""


@dataclass(frozen=True)
class Turn:
    """What one speaker says in a conversation."""

    speaker: str
    text: str


Answered = tuple[str, str]  # the prompt, and an answer to it


def read_row(row: Mapping[str, object]) -> tuple[str, str, str]:
    """Prompt, better and worse answer of a row in any of the forms; MalformedError says what is wrong with it."""
    if "summaries" in row:
        return _comparison(row)
    better, worse, prompt = (_column(row, names) for names in (BETTER, WORSE, PROMPT))
    if better is None or worse is None:
        raise MalformedError(f"no {BETTER[0]} and {WORSE[0]}; its columns: {', '.join(map(str, row))}")
    first, answer = _answered(better, prompt)
    second, other = _answered(worse, prompt)
    if first != second:
        raise MalformedError("its two conversations differ before their last answer")
    return first, answer, other


def write_prompt(turns: Sequence[Turn]) -> str:
    """A conversation as a prompt: the text of its only turn, or a transcript."""
    if len(turns) == 1 and turns[0].speaker == "Human":
        return turns[0].text
    return "\n\n".join(f"{turn.speaker}: {turn.text}" for turn in turns)


def read_transcript(text: str) -> list[Turn]:
    """The turns of a transcript; MalformedError where it does not begin with one."""
    begin, *parts = _TURN.split("\n\n" + text.lstrip())
    if begin:
        raise MalformedError("its transcript begins with no turn")
    return [Turn(speaker, said.strip()) for speaker, said in zip(parts[::2], parts[1::2], strict=True)]


def _answered(value: object, prompt: object) -> Answered:
    if isinstance(value, str) and isinstance(prompt, str):
        return prompt.strip(), value.strip()
    if isinstance(value, str) and prompt is None:
        return _last_answer(read_transcript(value))
    turns = _messages(value)
    if len(turns) == 1:  # the answer alone
        before = _messages(prompt) if isinstance(prompt, list) else [Turn("Human", _text(prompt, "prompt"))]
        turns = [*before, *turns]
    return _last_answer(turns)


def _last_answer(turns: Sequence[Turn]) -> Answered:
    *before, last = turns
    if not before or last.speaker != "Assistant":
        raise MalformedError("its conversation does not end with an answer of the assistant")
    return write_prompt(before), last.text


def _messages(value: object) -> list[Turn]:
    if not isinstance(value, list) or not value:
        raise MalformedError("its answers are neither texts nor lists of messages, or there is no prompt")
    return [_message(message) for message in value]


def _message(message: object) -> Turn:
    if not isinstance(message, Mapping):
        raise MalformedError("a message in it is no object")
    role, content = (message.get(new, message.get(old)) for new, old in (("role", "from"), ("content", "value")))
    if not isinstance(role, str) or role not in SPEAKERS:
        raise MalformedError(f"a message in it has the role {role!r}; known are {', '.join(SPEAKERS)}")
    return Turn(SPEAKERS[role], _text(content, "content").strip())


def _comparison(row: Mapping[str, object]) -> tuple[str, str, str]:
    info, summaries, choice = (row.get(name) for name in ("info", "summaries", "choice"))
    if not isinstance(info, Mapping) or not isinstance(summaries, list) or len(summaries) != 2:
        raise MalformedError("it has no info, or not two summaries")
    if choice not in {0, 1} or not isinstance(choice, int):
        raise MalformedError(f"its choice is {choice!r}, not 0 or 1")
    post = _text(info.get("post") or info.get("article"), "post").strip()
    texts = [_text(each.get("text") if isinstance(each, Mapping) else each, "text").strip() for each in summaries]
    return post, texts[choice], texts[1 - choice]


def _column(row: Mapping[str, object], names: Sequence[str]) -> object:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise MalformedError(f"its {name} is no text")
    return value
