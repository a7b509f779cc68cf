"""The judge of captions counts what is told right and wrong, and cannot be talked round."""

import pytest

from pinxit.data.telling import Telling, Thing, ways
from pinxit.evaluate.telling import Told, count_facts, judge

LONE = Telling((Thing("owl", "Fluent 3D", "small"),), "pink", "on the left")
BOTH = Telling((Thing("owl", "Fluent 3D", "small"), Thing("fire engine", "Noto", "large")), "white", relation="left of")
TYPED = Telling((Thing("owl"), Thing("fire engine")), "light blue")


@pytest.mark.parametrize("facts", [LONE, BOTH])
def test_what_is_told_right_in_any_way_scores_one(facts: Telling) -> None:
    for text in ways(facts):
        found = judge(facts, text)
        assert found == Told(count_facts(facts), count_facts(facts), 0)
        assert found.score == 1


@pytest.mark.parametrize(
    ("text", "right", "wrong"),
    [
        ("a small 3D owl on the left on a pink background", 5, 0),
        ("a small 3D owl on a pink background", 4, 0),
        ("a 3D owl on a pink background", 3, 0),
        ("a large 3D owl on the left on a pink background", 4, 1),
        ("a small flat cat on the right on a white background", 1, 4),
        ("a large flat cat on the right on a white background", 0, 5),
        ("a small drawing of an owl on the left on a pink background; Noto style", 4, 1),
        ("a small 3D owl beside a 3D dog on a pink background", 4, 1),  # a thing too many, and no place
        ("a large 3D dog above a small 3D owl on a pink background", 4, 1),
    ],
)
def test_facts_of_one_thing_are_counted(text: str, right: int, wrong: int) -> None:
    assert judge(LONE, text) == Told(5, right, wrong)
    assert judge(LONE, text).score == max(-1, (right - wrong) / 5)


@pytest.mark.parametrize(
    ("text", "right", "wrong"),
    [
        ("a small 3D owl to the left of a large Noto fire engine on a white background", 8, 0),
        ("a large Noto fire engine to the right of a small 3D owl on a white background", 8, 0),
        ("a small 3D owl beside a large Noto fire engine on a white background", 7, 0),
        ("a small 3D owl to the right of a large Noto fire engine on a white background", 7, 1),
        ("a large Noto fire engine to the left of a small 3D owl on a white background", 7, 1),
        ("a small 3D owl above a large Noto fire engine on a white background", 7, 1),
        ("a 3D fire engine to the left of a Noto owl on a white background", 4, 2),  # as engine and owl: the relation
        ("a small 3D owl to the left of a small 3D owl on a white background", 5, 3),
        ("a small 3D owl on the left on a white background", 4, 0),
        ("a white background with a large Noto fire engine at the top", 4, 0),
    ],
)
def test_two_things_are_held_against_those_that_they_fit_best(text: str, right: int, wrong: int) -> None:
    assert judge(BOTH, text) == Told(8, right, wrong)


def test_above_contradicts_beside() -> None:
    above = Telling((Thing("owl"), Thing("dog")), "white", relation="above")
    assert judge(above, "a 3D owl beside a 3D dog on a white background") == Told(4, 3, 1)


def test_what_was_not_asked_is_free() -> None:
    for text in ("a 3D owl beside a flat fire engine on a light blue background",
                 "a small Noto owl below a large Noto fire engine on a light blue background"):  # fmt: skip
        assert judge(TYPED, text).score == 1


@pytest.mark.parametrize(
    "text",
    [
        "", "owl, 3D, small, on the left; pink background", "owl", "small 3D owl left pink",
        "a small 3D owl or cat on the left on a pink background",
        "a small 3D owl on the left on a pink background on a pink background",
        "a small 3D owl on the left on a pink background a small 3D owl on the left on a pink background",
        "a small 3D flat owl on the left on a pink background",
        "a small 3D owl on the left on the right on a pink background",
        "a small 3D owl on the left on a pink background; 3D style",
        "a small 3D owl on the left on a pink background; owl, small, pink",
        "a small 3D owl on the left on a pink, white or orange background",
        "on the left on a pink background",
    ],
)  # fmt: skip
def test_copies_choices_doubles_and_stuffing_score_as_nothing_right(text: str) -> None:
    found = judge(LONE, text)
    assert found == Told(5, 0, 0, is_broken=True)
    assert found.score == -1
