"""What is joined to one thing, what counts as right, and when the judge is not to be trusted."""

from dataclasses import fields

import numpy as np
import pytest
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFilter
from torch import Tensor

from pinxit.data.emoji import Art, Piece
from pinxit.data.palette import PALETTE
from pinxit.data.scene import Placement, Scene, compose, single
from pinxit.errors import DataError
from pinxit.evaluate.alignment import MOST_AREAS, Judge, partitions
from pinxit.evaluate.area import box_of
from pinxit.evaluate.feature import thumbnails
from pinxit.evaluate.interval import Share
from pinxit.evaluate.score import Scores, assign, calibrate, can_be_judged, score, score_whole, stands_apart

SHAPES = {
    "disc": lambda pen, ink: pen.ellipse((4, 4, 60, 60), fill=ink),
    "box": lambda pen, ink: pen.rectangle((6, 6, 58, 58), fill=ink),
    "eyes": lambda pen, ink: [pen.ellipse((x, 16, x + 24, 48), fill=ink) for x in (2, 38)],
}


def piece(name: str, ink: str, style: str = "Noto") -> Piece:
    image = Image.new("RGBA", (64, 64))
    SHAPES[name](ImageDraw.Draw(image), ink)
    return Piece(f"{ink} {name}", style, "shapes", name, (), np.asarray(image))


ART = Art(piece(name, ink) for name in SHAPES for ink in ("red", "black"))
DISC, BOX, EYES = (ART.find(f"black {name}", "Noto") for name in SHAPES)


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(ART, thumbnails)


def beside(first: Piece, second: Piece, apart: int, side: int = 128) -> Scene:
    """Two pieces of 48 pixels whose drawn parts (of discs and boxes 42 and 39 wide) are so far apart."""
    return compose([Placement(first, 48, 4, 40), Placement(second, 48, 46 + apart, 40)], "white", (side, side))


def test_two_parts_of_one_drawing_are_one_thing_and_two_drawings_are_two(judge: Judge) -> None:
    eyes = judge.judge(single(EYES, "yellow", (64, 64)).picture)
    assert [area.by_pixels.nearest for area in eyes.areas] == ["black eyes"]
    discs = judge.judge(beside(DISC, DISC, 20).picture)
    assert [area.by_pixels.nearest for area in discs.areas] == ["black disc", "black disc"]


def test_pieces_that_touch_count_as_one(judge: Judge) -> None:
    touching = beside(BOX, BOX, -3)
    assert not stands_apart(touching.facts, 1)
    assert len(judge.judge(touching.picture).areas) == 1
    assert score(judge, [touching.picture], [touching.facts]).count == Share(0, 1)
    assert stands_apart(beside(BOX, BOX, 20).facts, 10)
    assert stands_apart(single(BOX, "white", (32, 32)).facts, 99)


def test_what_has_the_backgrounds_colour_cannot_be_judged() -> None:
    faint = piece("box", "#ffd0d8")  # near the palette's pink
    assert can_be_judged(single(BOX, "pink", (64, 64)))
    assert can_be_judged(single(faint, "dark grey", (64, 64)))
    assert not can_be_judged(single(faint, "pink", (64, 64)))
    assert not can_be_judged(beside(BOX, BOX, -3))


def test_a_picture_full_of_dots_is_judged_by_its_largest(judge: Judge) -> None:
    image = Image.new("RGB", (128, 128), "white")
    for place in range(16):
        x, y = place % 4 * 32 + 4, place // 4 * 32 + 4
        ImageDraw.Draw(image).ellipse((x, y, x + 10 + place // 2, y + 10 + place // 2), fill="red")
    assert 0 < len(judge.judge(np.asarray(image)).areas) <= MOST_AREAS


@pytest.mark.parametrize(("count", "ways"), [(0, 1), (1, 1), (2, 2), (3, 5), (4, 15), (6, 203)])
def test_partitions_are_as_many_as_bell_counted_and_all_different(count: int, ways: int) -> None:
    found = [frozenset(way) for way in partitions(tuple(range(count)))]
    assert len(set(found)) == len(found) == ways
    assert all(sorted(n for part in way for n in part) == list(range(count)) for way in found)


def test_each_piece_gets_the_area_that_shows_it_whatever_their_order(judge: Judge) -> None:
    scene = beside(EYES, DISC, 20)
    verdict = judge.judge(scene.picture)
    for pieces in (scene.facts.pieces, scene.facts.pieces[::-1]):
        shown = assign(verdict.areas, pieces)
        assert [area.by_pixels.nearest for area in shown if area] == [p.concept for p in pieces]
    assert assign((), scene.facts.pieces) == [None, None]
    assert assign(verdict.areas[:1], scene.facts.pieces).count(None) == 1


def test_the_box_of_an_area_is_that_of_the_scene(judge: Judge) -> None:
    scene = beside(BOX, DISC, 20)
    for area, placed in zip(
        assign(judge.judge(scene.picture).areas, scene.facts.pieces), scene.facts.pieces, strict=True
    ):
        assert area is not None
        assert np.abs(np.subtract(area.box, placed.box)).max() <= 1


def sized(first: int, second: int = 0) -> Scene:
    """A box of so many pixels and, if any, a disc of so many beside it."""
    placements = [Placement(BOX, first, 2, 20), *([Placement(DISC, second, 66, 20)] if second else [])]
    return compose(placements, "white", (128, 128))


@pytest.mark.parametrize(
    ("asked", "drawn", "size"),
    [
        (sized(60, 30), sized(56, 26), Share(1, 1)),  # large, small
        (sized(60, 30), sized(30, 60), Share(0, 1)),
        (sized(60, 30), sized(48, 48), Share(0, 1)),
        (sized(60, 30), sized(56, 40), Share(1, 1)),  # 1.6 times the area: by the words nothing, with ease large
        (sized(60, 30), sized(60), Share(0, 1)),
        (sized(48, 48), sized(60, 30), Share(0, 0)),  # nothing to say of sizes
        (sized(50), sized(60), Share(1, 1)),  # small
        (sized(50), sized(126), Share(0, 1)),
        (sized(126), sized(128), Share(1, 1)),  # large
    ],
)
def test_a_size_is_right_where_its_word_fits_what_is_found(
    judge: Judge, asked: Scene, drawn: Scene, size: Share
) -> None:
    assert score(judge, [drawn.picture], [asked.facts]).size == size


def test_a_size_of_something_else_is_not_right(judge: Judge) -> None:
    other = compose([Placement(ART.find("red eyes", "Noto"), 50, 2, 20)], "white", (128, 128))
    assert score(judge, [other.picture], [sized(50).facts]).size.value == 0


def test_a_lone_piece_is_scored_whole_on_the_background_asked_for(judge: Judge) -> None:
    scenes = [single(p, background, (64, 64)) for p in ART for background in ("pink", "dark grey")]
    pictures, facts = [scene.picture for scene in scenes], [scene.facts for scene in scenes]
    seen = [
        n for n, (p, fact) in enumerate(zip(pictures, facts, strict=True)) if fact.background == "pink" or p.max() > 150
    ]
    found = score_whole(judge, [pictures[n] for n in seen], [facts[n] for n in seen])
    assert found.colour.value == found.concept_by_pixels.value == found.style.value == 1
    assert found.count == found.left_right == found.size == Share(0, 0)
    empty = np.full((64, 64, 3), PALETTE["pink"], np.uint8)
    nothing = score_whole(judge, [empty], [single(DISC, "pink", (64, 64)).facts])
    assert (nothing.colour, nothing.concept_by_pixels_5, nothing.style) == (Share(1, 1), Share(0, 1), Share(0, 1))


def test_no_pictures_have_no_scores(judge: Judge) -> None:
    empty = score(judge, [], [])
    assert all(getattr(empty, field.name) == Share(0, 0) for field in fields(Scores))


def test_a_concept_that_the_judge_does_not_know_is_an_error(judge: Judge) -> None:
    stranger = Piece("yak", "Noto", "shapes", "yak", (), DISC.rgba)
    with pytest.raises(DataError, match="yak: it is not among the candidates"):
        scene = single(stranger, "white", (64, 64))
        score(judge, [scene.picture], [scene.facts])


def test_calibration_passes_on_a_fair_way_and_names_what_a_bad_one_loses(judge: Judge) -> None:
    scenes = [beside(a, b, 20) for a, b in ((DISC, EYES), (BOX, DISC), (EYES, BOX))]

    def soft(picture: np.ndarray) -> np.ndarray:
        return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(1)))

    assert calibrate(judge, scenes, lambda picture: picture).too_low == ()
    assert calibrate(judge, scenes, soft).too_low == ()
    assert "left_right" in calibrate(judge, scenes, lambda picture: picture[:, ::-1].copy()).too_low
    assert calibrate(judge, scenes, lambda picture: 255 - picture).too_low[0] == "colour"


def test_a_backgrounds_candidates_are_made_once() -> None:
    calls = []

    def features(pictures: np.ndarray) -> Float[Tensor, "b d"]:
        calls.append(len(pictures))
        return thumbnails(pictures)

    judge = Judge(ART, features)
    for background in ("pink", "pink", "orange"):
        judge.judge(single(DISC, background, (48, 48)).picture)
    assert [n for n in calls if n > 1] == [len(ART), len(ART)]


def test_all_of_a_picture_is_the_box_of_an_empty_mask() -> None:
    assert box_of(np.zeros((5, 7), bool)) == (0, 0, 7, 5)
