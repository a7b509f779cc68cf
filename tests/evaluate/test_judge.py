"""The judge on drawn shapes whose truth is known: background, count, concept, place; and the intervals."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from pinxit.data.emoji import Art, Piece
from pinxit.data.kind import Pixels
from pinxit.data.palette import PALETTE
from pinxit.data.scene import Placement, Scene, compose, single
from pinxit.evaluate.alignment import Judge
from pinxit.evaluate.area import background_colour, name_colour
from pinxit.evaluate.feature import thumbnails
from pinxit.evaluate.interval import Share, wilson
from pinxit.evaluate.score import score


def piece(name: str, colour: str) -> Piece:
    image = Image.new("RGBA", (64, 64))
    pen = ImageDraw.Draw(image)
    if name == "disc":
        pen.ellipse((4, 4, 60, 60), fill=colour)
    elif name == "bar":
        pen.rectangle((4, 24, 60, 40), fill=colour)
    else:
        pen.polygon([(32, 4), (60, 60), (4, 60)], fill=colour)
    return Piece(f"{colour} {name}", "Noto", "shapes", name, (), np.asarray(image))


ART = Art(piece(name, colour) for name in ("disc", "bar", "tent") for colour in ("red", "green", "blue"))


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(ART, lambda pictures: thumbnails(pictures, 8))


def pair(first: int, second: int, *, across: bool, background: str) -> Scene:
    places = ((4, 34), (50, 36)) if across else ((34, 4), (36, 50))
    placements = [Placement(ART[i], 40, *place) for i, place in zip((first, second), places, strict=True)]
    return compose(placements, background, (96, 96))


@pytest.mark.parametrize("background", PALETTE)
def test_every_background_of_the_palette_is_named(background: str) -> None:
    picture = single(ART[0], background, (48, 64)).picture
    assert name_colour(background_colour(picture)) == background


def test_an_empty_picture_has_nothing_on_it(judge: Judge) -> None:
    verdict = judge.judge(np.full((32, 32, 3), PALETTE["pink"], np.uint8))
    assert (verdict.background, verdict.areas) == ("pink", ())
    assert judge.judge_whole(np.full((32, 32, 3), PALETTE["pink"], np.uint8), "pink") is None


@pytest.mark.parametrize("place", range(len(ART)))
def test_a_lone_piece_is_recognised_at_any_size(judge: Judge, place: int) -> None:
    for side in (48, 96, 128):
        verdict = judge.judge(single(ART[place], "white", (side, side)).picture)
        assert [area.by_pixels.nearest for area in verdict.areas] == [ART[place].concept]


def test_true_scenes_of_two_are_right_in_every_measure(judge: Judge) -> None:
    scenes = [
        pair(first, second, across=across, background=background)
        for first, second in ((0, 4), (8, 1), (5, 6))
        for across in (True, False)
        for background in ("white", "dark grey", "yellow")
    ]
    found = score(judge, [scene.picture for scene in scenes], [scene.facts for scene in scenes])
    for name in ("colour", "count", "concept_by_pixels", "left_right", "above_below", "style"):
        assert getattr(found, name).value == 1, name


def test_candidates_go_through_what_the_pictures_went_through_at_their_size() -> None:
    """A way that loses each small thing's colour: the judge errs unless its candidates of that size lost it too."""

    def through(pictures: Sequence[Pixels]) -> list[Pixels]:
        return [p if len(p) > 40 else 255 - (255 - p[..., [1, 2, 0]]) // 2 for p in pictures]

    scenes = [compose([Placement(art, 22, 4, 4)], "white", (32, 32)) for art in ART]
    seen = through([scene.picture for scene in scenes])
    found = [
        score(Judge(ART, lambda pictures: thumbnails(pictures, 8), way), seen, [scene.facts for scene in scenes])
        for way in (tuple, through)
    ]
    assert [scores.concept_by_pixels.value for scores in found][1] == 1
    assert found[0].concept_by_pixels.value < 0.5


def test_what_is_wrong_is_told(judge: Judge) -> None:
    asked = pair(0, 4, across=True, background="white").facts
    mirrored = pair(4, 0, across=True, background="orange").picture
    found = score(judge, [mirrored], [asked])
    assert found.left_right.value == 0
    assert found.colour.value == 0
    assert found.concept_by_pixels.value == 1
    alone = score(judge, [single(ART[0], "white", (96, 96)).picture], [asked])
    assert alone.count.value == 0
    assert alone.left_right.value == 0
    assert alone.concept_by_pixels == Share(1, 2)


def test_the_interval_of_a_share_is_wilsons() -> None:
    low, high = wilson(8, 10)
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 10)[0] == 0
    assert wilson(10, 10)[1] == pytest.approx(1)
    with pytest.raises(ValueError, match="no share"):
        wilson(3, 2)


def test_thumbnails_are_averages_of_areas() -> None:
    picture = np.zeros((1, 32, 32, 3), np.uint8)
    picture[:, :, 16:] = 255
    assert torch.equal(thumbnails(picture, 2)[0].view(3, 2, 2)[0], torch.tensor([[0.0, 1.0], [0.0, 1.0]]))
