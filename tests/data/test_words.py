"""Captions say what is so, in words that a person would use, and the same ones each time."""

import re

import numpy as np
import pytest

from pinxit.data import words
from pinxit.data.emoji import Art, Piece
from pinxit.data.kind import Facts, Placed
from pinxit.data.palette import PALETTE, STYLE_WORDS

SIZE = (100, 100)
OWL = Placed("owl", "Fluent 3D", (10, 40, 40, 70), 0)
ENGINE = Placed("fire engine", "Fluent 3D", (60, 40, 90, 70), 1)
SOCKS = Placed("socks", "Fluent flat", (30, 40, 65, 70), 1)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def many(facts: Facts, keywords: list[list[str]] | None = None, count: int = 200) -> list[str]:
    return [words.dense(facts, keywords or [[] for _ in facts.pieces], SIZE, rng(seed)) for seed in range(count)]


def test_the_prompt_of_an_evaluation_reads_naturally() -> None:
    facts = Facts("light blue", (ENGINE, OWL))
    assert words.plain(facts) == "a 3D fire engine to the right of a 3D owl on a light blue background"
    assert words.plain(Facts("orange", (OWL,))) == "a 3D owl on an orange background"
    assert words.plain(Facts("orange", (OWL,)), ["small"]) == "a small 3D owl on an orange background"
    beside = "a 3D fire engine beside a 3D owl on a light blue background"
    assert beside in many(facts)


@pytest.mark.parametrize(
    ("concept", "said"),
    [
        ("owl", "an owl"), ("unicorn", "a unicorn"), ("hourglass done", "an hourglass done"), ("horse", "a horse"),
        ("euro banknote", "a euro banknote"), ("ewe", "a ewe"), ("umbrella", "an umbrella"),
        ("honey pot", "a honey pot"),
    ],
)  # fmt: skip
def test_articles_follow_the_sound(concept: str, said: str) -> None:
    assert words.article(concept) == said


@pytest.mark.parametrize(
    "concept", ["socks", "eyes", "people wrestling", "women with bunny ears", "clinking glasses", "skis", "kiwis"]
)
def test_several_things_take_no_article(concept: str) -> None:
    assert words.is_plural(concept)


@pytest.mark.parametrize(
    "concept",
    ["dress", "octopus", "bus", "tennis", "rhinoceros", "person lifting weights", "sunrise over mountains", "owl",
     "man: curly hair", "face with crossed-out eyes", "family: man, woman, girls"],
)  # fmt: skip
def test_one_thing_takes_an_article(concept: str) -> None:
    assert not words.is_plural(concept)


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ((40, 40, 60, 60), "in the centre"), ((0, 40, 20, 60), "on the left"), ((80, 40, 100, 60), "on the right"),
        ((40, 0, 60, 20), "at the top"), ((80, 80, 100, 100), "at the bottom right"), ((0, 0, 9, 9), "at the top left"),
    ],
)  # fmt: skip
def test_places_go_by_thirds(box: tuple[int, int, int, int], said: str) -> None:
    assert words.position(Placed("owl", "Noto", box, 0), SIZE) == said


def test_a_lone_thing_is_small_or_large_by_the_shorter_side() -> None:
    sides = {side: words.absolute_size(Placed("owl", "Noto", (0, 0, side, 5), 0), (100, 200)) for side in (54, 60, 80)}
    assert sides == {54: "small", 60: "", 80: "large"}


def test_sizes_of_several_are_told_only_where_they_differ_clearly() -> None:
    tiny = Placed("ant", "Noto", (0, 0, 5, 5), 0)
    assert words.relative_sizes([tiny, OWL]) == ["small", "large"]
    assert words.relative_sizes([OWL, ENGINE]) == ["", ""]
    assert words.told_sizes([tiny, OWL], (100, 200)) == ["small", "large"]
    assert not any("large" in text or "small" in text for text in many(Facts("white", (OWL, ENGINE))))


def test_a_size_known_less_exactly_may_miss_by_so_much() -> None:
    lone = [Placed("owl", "Noto", (0, 0, side, 5), 0) for side in (54, 56, 60, 62, 72, 74)]
    assert [words.told_sizes([each], (100, 200))[0] for each in lone] == ["small", "", "", "", "", ""]
    eased = [words.told_sizes([each], (100, 200), 1.1)[0] for each in lone]
    assert eased == ["small", "small", "small", "", "", "large"]
    pair = [Placed("owl", "Noto", (0, 0, side, side), 0) for side in (50, 40)]
    assert words.told_sizes(pair, (100, 200)) == ["", ""]
    assert words.told_sizes(pair, (100, 200), 1.1) == ["large", "small"]


@pytest.mark.parametrize("turned", [False, True])
def test_how_two_stand_to_each_other_turns_round_with_them(turned: bool) -> None:
    down = Placed("door", "Noto", (10, 80, 40, 99), 1)
    for other, said, back in ((ENGINE, "left of", "right of"), (down, "above", "below")):
        assert words.relation(other, OWL) == back if turned else words.relation(OWL, other) == said


def test_what_overlaps_is_in_front_or_behind_and_what_is_apart_is_neither() -> None:
    assert words.stacking(OWL, ENGINE) == ""
    assert words.stacking(SOCKS, OWL) == "in front of"
    assert words.stacking(OWL, SOCKS) == "behind"
    assert words.plain(Facts("pink", (OWL, SOCKS))) == (
        "a 3D owl to the left of flat socks and behind them on a pink background"
    )


@pytest.mark.parametrize("axis", [0, 1])
def test_three_things_are_told_in_the_order_they_stand_in(axis: int) -> None:
    def at(name: str, start: int, depth: int) -> Placed:
        box = (start, 10, start + 20, 30) if axis == 0 else (10, start, 30, start + 20)
        return Placed(name, "Noto", box, depth)

    facts = Facts("white", (at("door", 70, 0), at("owl", 0, 1), at("cow", 35, 2)))
    order = ("from left to right", "from top to bottom")[axis]
    told = f"a Noto owl, a Noto cow and a Noto door {order} on a white background"
    assert set(many(facts, count=20)) == {told} == {words.plain(facts)}


def test_three_things_in_a_heap_are_told_without_an_order() -> None:
    heap = Facts(
        "white", tuple(Placed(name, "Noto", (0, 0, 50, 50), n) for n, name in enumerate(("owl", "cow", "ant")))
    )
    assert words.plain(heap) == "a Noto owl, a Noto cow and a Noto ant on a white background"


def test_a_dense_caption_tells_thing_style_ground_place_and_some_keywords() -> None:
    facts = Facts("dark grey", (Placed("owl", "Noto v1", (0, 40, 30, 70), 0),))
    told = many(facts, [["bird", "owl", "wise", "night", "hoot"]])
    grammar = re.compile(
        r"(a dark grey background with )?(a small classic Noto owl|a small drawing of an owl) on the left"
        r"( on a dark grey background)?; (classic Noto style, )?(bird|wise|night|hoot)(, \w+)*"
    )
    plain = words.plain(facts)
    assert {text for text in told if not grammar.fullmatch(text)} == {plain}
    assert len(set(told)) > 25
    for word in ("bird", "wise", "night", "hoot"):
        assert 0.3 < np.mean([word in text for text in told]) < 0.95


def test_the_same_draw_gives_the_same_words() -> None:
    facts = Facts("white", (OWL, ENGINE))
    assert many(facts) == many(facts)
    assert [words.sparse(facts, rng(s)) for s in range(50)] == [words.sparse(facts, rng(s)) for s in range(50)]


def test_sparse_captions_are_names_and_file_names() -> None:
    told = {words.sparse(Facts("white", (Placed("red apple", "Noto", (0, 0, 9, 9), 0),)), rng(s)) for s in range(300)}
    assert {"red apple", "red_apple.jpg", "red_apple.png"} < told
    assert all(re.fullmatch(r"red[ _]apple(\.png|\.jpg)?|IMG_\d{4}\.(png|jpg)", text) for text in told)


def test_a_caption_takes_its_keywords_from_the_art() -> None:
    art = Art([Piece("owl", "Fluent 3D", "g", "s", ("wise", "night"), np.zeros((1, 1, 4), np.uint8))])
    facts = Facts("white", (OWL,))
    assert any("wise" in words.caption(facts, art, SIZE, rng(seed), "dense") for seed in range(20))
    assert words.caption(facts, art, SIZE, rng(), "sparse") == words.sparse(facts, rng())


def test_backgrounds_are_well_apart_and_every_style_has_a_word() -> None:
    from pinxit.data.emoji import STYLES

    colours = [np.array(colour) for colour in PALETTE.values()]
    assert len(colours) == 8
    assert min(np.linalg.norm(a - b) for i, a in enumerate(colours) for b in colours[:i]) > 45
    assert set(STYLE_WORDS) == set(STYLES)
    assert len(set(STYLE_WORDS.values())) == len(STYLES)
