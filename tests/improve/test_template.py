"""The template: prompt and answer come back from their join, whatever they spell."""

import random

import pytest

from pinxit.errors import DataError
from pinxit.improve.template import ANSWER, BETTER, Question, join, part

PIECES = (
    "<answer>",
    "<better>",
    "\\",
    "<\\answer>",
    "<\\\\better>",
    "\n",
    "<",
    ">",
    "answer",
    "a cat",
    "你好",
    ANSWER,
    BETTER,
)


@pytest.mark.parametrize("seed", range(200))
def test_prompt_and_answer_come_back_whatever_they_spell(seed: int) -> None:
    chance = random.Random(seed)
    prompt, reference = ("".join(chance.choices(PIECES, k=chance.randrange(8))) for _ in range(2))
    text = join(prompt, reference)
    assert part(text) == (prompt, reference)
    assert text.count("<answer>") == text.count("<better>") == 1


def test_different_parts_never_give_the_same_text() -> None:
    texts = ["", "a", "<answer>", "<\\answer>", "\n<answer>\n", "\n<\\answer>\n"]
    assert len({join(prompt, reference) for prompt in texts for reference in texts}) == len(texts) ** 2


def test_a_policy_reads_the_prompt_as_it_is_and_an_improver_the_join() -> None:
    assert Question("<answer> a cat").text == "<answer> a cat"
    assert Question("a cat", "").text == "a cat\n<answer>\n\n<better>"


@pytest.mark.parametrize("text", ["", "a cat", "a\n<answer>\nb", "a\n<better>"])
def test_a_text_that_is_no_join_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="not a prompt joined with an answer"):
        part(text)
