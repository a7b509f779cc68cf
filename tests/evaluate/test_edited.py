"""Edits: a true scene after is done, the one before is not; what had to stay is looked at elsewhere."""

from dataclasses import replace

import numpy as np
import pytest

from pinxit.data.emoji import Art, Piece
from pinxit.data.scene import Placement, Scene, compose
from pinxit.evaluate.alignment import Judge
from pinxit.evaluate.edited import AROUND, is_done, rest_error
from pinxit.evaluate.feature import thumbnails
from tests.evaluate.test_score import ART, BOX, DISC, piece

LEFT, RIGHT = (4, 40), (76, 40)
PLAIN = piece("box", "red", "Fxemoji")


def of(*placed: tuple[Piece, tuple[int, int]], ground: str = "white") -> Scene:
    return compose([Placement(each, 48, *place) for each, place in placed], ground, (128, 128))


BEFORE = of((DISC, LEFT))
EDITS = {
    "background": of((DISC, LEFT), ground="pink"),
    "swap": of((BOX, LEFT)),
    "add": of((DISC, LEFT), (BOX, RIGHT)),
    "move": of((DISC, RIGHT)),
}


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(Art([*ART, PLAIN]), thumbnails)


@pytest.mark.parametrize("kind", EDITS)
def test_the_scene_after_is_done_and_the_one_before_is_not(kind: str, judge: Judge) -> None:
    after = EDITS[kind]
    assert is_done(judge.judge(after.picture), BEFORE.facts, after.facts)
    assert not is_done(judge.judge(BEFORE.picture), BEFORE.facts, after.facts)


def test_a_thing_that_should_be_gone_and_is_there_is_not_done(judge: Judge) -> None:
    both, one = EDITS["add"], BEFORE
    assert is_done(judge.judge(one.picture), both.facts, one.facts)
    assert not is_done(judge.judge(both.picture), both.facts, one.facts)


def test_things_that_change_places_are_nearer_to_the_new_ones(judge: Judge) -> None:
    before, after = of((DISC, LEFT), (BOX, RIGHT)), of((DISC, RIGHT), (BOX, LEFT))
    assert is_done(judge.judge(after.picture), before.facts, after.facts)
    assert not is_done(judge.judge(before.picture), before.facts, after.facts)


def test_of_a_change_of_style_the_style_counts(judge: Judge) -> None:
    verdict = judge.judge(of((BOX, LEFT)).picture)
    box = verdict.areas[0]
    before, after = (of((each, LEFT)).facts for each in (BOX, replace(BOX, style="Fxemoji")))
    shown = replace(verdict, areas=(replace(box, style="Fxemoji"),))
    assert is_done(shown, before, after)
    assert not is_done(replace(shown, areas=(replace(box, style="Noto"),)), before, after)


def test_an_empty_picture_has_nothing_that_came(judge: Judge) -> None:
    empty = np.full((128, 128, 3), 255, np.uint8)
    assert not is_done(judge.judge(empty), BEFORE.facts, EDITS["add"].facts)
    assert is_done(judge.judge(empty), EDITS["add"].facts, of().facts)


def test_the_rest_is_looked_at_where_nothing_was_meant_to_change() -> None:
    after = EDITS["add"]
    assert rest_error(after.picture, BEFORE, after) == 0
    spoiled = after.picture.copy()
    spoiled[:, :30] = 0
    assert rest_error(spoiled, BEFORE, after) > 20
    meant = after.picture.copy()
    meant[40 + AROUND : 88, 80:120] = 0
    assert rest_error(meant, BEFORE, after) == 0
    assert rest_error(BEFORE.picture, BEFORE, of((DISC, LEFT), ground="dark grey")) < 1
