"""What of the facts that somebody typed a picture shows, and the prompts that this is asked of."""

import numpy as np
import pytest
import torch

from pinxit.data.emoji import Art, Piece
from pinxit.data.telling import Telling, Thing, read
from pinxit.evaluate.alignment import Area, Verdict
from pinxit.evaluate.nearest import Ranking
from pinxit.evaluate.telling import judge
from pinxit.recipes.shown import asked, limit, marks, row
from tests.recipes.world import WORLD

CONCEPTS = ("owl", "cat", "dog", "fire", "socks", "engine", "factory")


def area(concept: str, style: str, box: tuple[int, int, int, int]) -> Area:
    order = (concept, *(other for other in CONCEPTS if other != concept))
    ranking = Ranking(order, torch.arange(len(order)).float())
    return Area(box, ranking, ranking, style)


OWL, CAT = area("owl", "Noto", (4, 20, 24, 44)), area("cat", "Fluent 3D", (40, 20, 60, 44))
BOTH = Verdict("pink", (OWL, CAT))


def test_what_is_shown_is_marked_kind_by_kind() -> None:
    facts = Telling((Thing("owl", "Noto"), Thing("cat", "Noto v1")), "pink", relation="left of")
    assert marks(BOTH, facts, 64) == {
        "concept": [True, True], "style": [True, False], "background": [True], "relation": [True],
    }  # fmt: skip
    assert marks(BOTH, facts.turned(), 64)["relation"] == [True]
    wrong = Telling(facts.things, "white", relation="right of")
    assert marks(BOTH, wrong, 64)["background"] == marks(BOTH, wrong, 64)["relation"] == [False]


def test_only_what_was_stated_is_marked() -> None:
    assert marks(BOTH, Telling((Thing("owl", size="large"), Thing("cat")), relation="beside"), 64) == {
        "concept": [True, True]
    }


def test_nothing_is_right_of_a_thing_that_is_not_found() -> None:
    alone = Verdict("pink", (OWL,))
    facts = Telling((Thing("owl", "Noto"), Thing("socks", "Noto")), relation="left of")
    assert marks(alone, facts, 64) == {"concept": [True, False], "style": [True, False], "relation": [False]}
    empty = Verdict("pink", ())
    assert marks(empty, Telling((Thing("owl"),), where="on the left"), 64) == {"concept": [False], "place": [False]}


@pytest.mark.parametrize(("where", "right"), [("on the left", True), ("on the right", False), ("in the centre", False)])
def test_a_lone_thing_stands_in_the_third_that_was_asked_for(where: str, right: bool) -> None:
    assert marks(Verdict("pink", (OWL,)), Telling((Thing("owl"),), where=where), 64)["place"] == [right]


def test_prompts_are_typed_and_of_what_the_art_has() -> None:
    have = [(concept, style) for concept, styles in WORLD.drawn.items() for style in styles[:2]]
    art = Art(Piece(concept, style, "", "", (), np.zeros((1, 1, 4), np.uint8)) for concept, style in have)
    prompts = asked(WORLD, art, 40)
    assert prompts == asked(WORLD, art, 40)
    for each in prompts:
        assert ";" not in each.typed
        assert WORLD.kind(each.facts) == "combination"
        told = read(each.whole)
        assert told is not None
        assert {(thing.concept, thing.style) for thing in told.things} <= set(have)
        assert judge(each.facts, each.whole).score == 1
    assert limit(WORLD, Art([])).drawn == {}


def test_a_row_counts_every_fact_and_compares_prompt_by_prompt() -> None:
    shown = [{"concept": [True, True], "background": [False]}, {"concept": [True], "place": [True]}]
    typed = [{"concept": [True, False], "background": [False]}, {"concept": [False], "place": [False]}]
    found = row(shown, typed)
    assert (found["n"], found["shown"], found["more"]) == (2, pytest.approx(5 / 6), found["more"])
    assert isinstance(found["more"], tuple)
    assert found["more"][0] == pytest.approx((1 / 3 + 1) / 2)
    assert isinstance(found["concept"], tuple)
    assert (found["concept"][0], found["concept"][3]) == (1.0, 3)
    assert row(typed, typed)["more"] == (0.0, 0.0, 0.0)
