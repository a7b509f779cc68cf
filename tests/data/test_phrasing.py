"""Captions counted: against the obvious count, and at the ends."""

from collections.abc import Sequence

import pytest

from pinxit.data.phrasing import Reader, Repeated, phrase

CAPTIONS = [["a fox"], [], ["a fox", "an owl on a hill"], ["1 2 3"], ["a fox"], ["an owl on a hill"]]


def count(texts: Sequence[str]) -> list[int]:
    return [0 if text[0].isdigit() else len(text.split()) + 1 for text in texts]


@pytest.mark.parametrize("together", [1, 2, 100])
def test_lengths_repetitions_and_losses(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinxit.data.phrasing.TOGETHER", together)
    found = phrase(lambda: CAPTIONS, 6, Reader(count, 4))
    assert (found.pictures, found.bare, found.captions, found.repeated) == (6, 1, 6, 3)
    assert found.most_repeated == (Repeated(text="a fox", times=3), Repeated(text="an owl on a hill", times=2))
    assert found.words is not None
    assert found.words.mean == pytest.approx((2 * 3 + 5 * 2 + 3) / 6)
    assert found.words.parts == (2, 2, 2, 5, 5, 5)
    assert found.tokens is not None
    assert found.tokens.parts[-1] == 6
    assert (found.limit, found.over, found.lost, found.emptied) == (4, 2, 4, 1)


def test_without_an_encoder_no_tokens_are_counted() -> None:
    found = phrase(lambda: CAPTIONS, 6, None)
    assert (found.tokens, found.limit, found.over, found.lost, found.emptied) == (None, None, None, None, None)
    assert found.captions == 6


@pytest.mark.parametrize("captions", [[], [[]], [[], []]])
def test_no_captions(captions: list[list[str]]) -> None:
    found = phrase(lambda: captions, len(captions), Reader(count, 4))
    assert (found.captions, found.repeated, found.words, found.tokens) == (0, 0, None, None)
    assert (found.bare, found.over, found.most_repeated) == (len(captions), 0, ())
