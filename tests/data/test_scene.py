"""Scenes are what their facts say: boxes, masks, depth, colours; the same each time; at any size."""

import re

import numpy as np
import pytest

from pinxit.data.emoji import Art, Piece
from pinxit.data.palette import PALETTE, STYLE_WORDS
from pinxit.data.scene import Placement, Scene, compose, labels, plain_scene, scaled, scene, single
from pinxit.data.words import stacking
from pinxit.errors import DataError

SIDE = 32


def square(concept: str, colour: tuple[int, int, int], style: str = "Noto", margin: int = 4, alpha: int = 255) -> Piece:
    """A filled square with a margin of nothing, whose hidden colour is a glaring white."""
    rgba = np.full((SIDE, SIDE, 4), 255, np.uint8)
    rgba[..., 3] = 0
    rgba[margin : SIDE - margin, margin : SIDE - margin] = (*colour, alpha)
    return Piece(concept, style, "group", f"kind of {concept}", ("word", concept), rgba)


RED, GREEN, BLUE = square("red", (200, 0, 0)), square("green", (0, 200, 0)), square("blue", (0, 0, 200), "Fluent 3D")
ART = Art([RED, GREEN, BLUE, square("black", (0, 0, 0)), square("grey", (90, 90, 90), "Fluent 3D")])


def same(first: Scene, second: Scene) -> bool:
    return bool((first.picture == second.picture).all()) and first.facts == second.facts


def test_a_piece_on_a_background_is_exactly_where_it_was_put() -> None:
    made = compose([Placement(RED, SIDE, 10, 3)], "light blue", (40, 60))
    assert made.picture.shape == (40, 60, 3)
    assert made.facts.pieces[0].box == (14, 7, 38, 31)
    assert made.masks[0].sum() == 24 * 24
    assert (made.picture[made.masks[0]] == (200, 0, 0)).all()
    assert (made.picture[~made.masks[0]] == PALETTE["light blue"]).all()


def test_a_half_transparent_piece_is_mixed_evenly() -> None:
    made = compose([Placement(square("glass", (200, 100, 0), alpha=51), SIDE, 0, 0)], (0, 100, 200), (SIDE, SIDE))
    assert np.abs(made.picture[16, 16].astype(int) - (40, 100, 160)).max() <= 1


@pytest.mark.parametrize("side", [7, 13, 32, 45])
def test_edges_have_no_halo_of_the_colour_under_transparency(side: int) -> None:
    made = compose([Placement(square("hole", (0, 0, 0), margin=5), side, 0, 0)], (0, 0, 0), (side, side))
    assert made.picture.max() <= 1


def test_later_pieces_hide_earlier_ones_and_masks_tell_both() -> None:
    made = compose([Placement(RED, SIDE, 0, 0), Placement(GREEN, SIDE, 8, 0)], "white", (SIDE, 48))
    assert [piece.depth for piece in made.facts.pieces] == [0, 1]
    assert made.whole.sum((1, 2)).tolist() == [576, 576]
    assert made.masks.sum((1, 2)).tolist() == [576 - 16 * 24, 576]
    assert not (made.masks[0] & made.masks[1]).any()
    assert (made.picture[made.masks[1]] == (0, 200, 0)).all()


def test_boxes_are_clipped_to_the_picture() -> None:
    made = compose([Placement(RED, SIDE, -10, -10), Placement(GREEN, SIDE, 20, 20)], "white", (30, 30))
    assert [piece.box for piece in made.facts.pieces] == [(0, 0, 18, 18), (24, 24, 30, 30)]


@pytest.mark.parametrize(("left", "top"), [(30, 0), (0, 30), (-SIDE, 0), (0, -SIDE)])
def test_a_piece_wholly_outside_is_refused(left: int, top: int) -> None:
    with pytest.raises(DataError, match="red: lies wholly outside a picture of 30 x 30; move it in"):
        compose([Placement(RED, SIDE, left, top)], "white", (30, 30))


def test_no_pieces_leave_the_background() -> None:
    made = compose([], "pink", (5, 7))
    assert (made.picture == PALETTE["pink"]).all()
    assert made.masks.shape == made.whole.shape == (0, 5, 7)


def test_scaled_art_is_the_mean_of_its_area_premultiplied() -> None:
    small = scaled(square("half", (100, 50, 0), margin=0, alpha=128), 4)
    assert np.abs(small.astype(int) - (50, 25, 0, 128)).max() <= 1
    assert (small[..., :3] <= small[..., 3:]).all()


@pytest.mark.parametrize("size", [(64, 64), (40, 90), (90, 40), (1, 1), (1, 50), (3, 2)])
def test_a_single_piece_stands_in_the_middle(size: tuple[int, int]) -> None:
    made = single(square("all", (9, 9, 9), margin=0), "yellow", size, fill=0.9)
    left, top, right, bottom = made.facts.pieces[0].box
    assert abs((left + right) - size[1]) <= 1
    assert abs((top + bottom) - size[0]) <= 1
    assert bottom - top == right - left == max(1, round(0.9 * min(size)))


@pytest.mark.parametrize("size", [(64, 64), (48, 96), (200, 40), (5, 5), (2, 9), (1, 1)])
def test_scenes_of_any_size_hold_what_was_asked_uncut_and_true(size: tuple[int, int]) -> None:
    for index in range(60):
        made = scene(ART, 0, index, size)
        assert made.picture.shape == (*size, 3)
        assert 1 <= len(made.facts.pieces) <= 3
        assert len({piece.concept for piece in made.facts.pieces}) == len(made.facts.pieces)
        for piece, mask, whole in zip(made.facts.pieces, made.masks, made.whole, strict=True):
            assert not (mask & ~whole).any()
            if min(size) < 10:
                continue
            left, top, right, bottom = piece.box
            assert whole[top:bottom, left:right].sum() == whole.sum() > 0
            assert abs((right - left) - (bottom - top)) <= 1  # the art is square: it would not be, were it cut off


def test_a_scene_is_a_function_of_seed_and_place() -> None:
    assert same(scene(ART, 3, 7, (32, 48)), scene(ART, 3, 7, (32, 48)))
    made = [scene(ART, seed, index, (32, 48)) for seed in (3, 4) for index in (7, 8)]
    assert not any(same(made[i], made[j]) for i in range(4) for j in range(i))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_so_many_pieces_as_asked(count: int) -> None:
    assert {len(scene(ART, 1, index, (32, 32), (count, count)).facts.pieces) for index in range(30)} == {count}


@pytest.mark.parametrize("margin", [4, 10])  # with much margin the squares must come closer before the art meets
def test_pieces_that_overlap_hide_something_and_pieces_that_do_not_hide_nothing(margin: int) -> None:
    art = Art([square("red", (200, 0, 0), margin=margin), square("green", (0, 200, 0), margin=margin)])
    overlapping = 0
    for index in range(150):
        made = scene(art, 2, index, (64, 64), (2, 2))
        hidden = 1 - made.masks[0].sum() / made.whole[0].sum()
        if stacking(*made.facts.pieces):
            overlapping += 1
            assert 0.08 <= hidden < 0.8
        else:
            assert hidden == 0
    assert 10 < overlapping < 60


def test_pieces_stand_beside_above_and_in_clearly_different_sizes() -> None:
    texts = " ".join(
        scene(ART, 5, i, (64, 64), (2, 2)).record("k", i, share_of_sparse=0.0).captions[0].text for i in range(120)
    )
    for words in ("to the left of", "to the right of", "above", "below", "beside", "in front of", "behind", "small"):
        assert words in texts


def test_only_the_asked_backgrounds_and_fills_are_drawn() -> None:
    made = [scene(ART, 0, i, (50, 50), (1, 1), backgrounds=("pink", "orange"), fill=(0.5, 0.5)) for i in range(40)]
    assert {m.facts.background for m in made} == {"pink", "orange"}
    assert {m.facts.pieces[0].box[2] - m.facts.pieces[0].box[0] for m in made} <= {18, 19, 20}


def test_art_too_small_for_a_scene_gives_what_there_is() -> None:
    assert len(scene(Art([RED]), 0, 0, (32, 32), (3, 3)).facts.pieces) == 1
    with pytest.raises(DataError, match="no art to choose from"):
        scene(Art([]), 0, 0, (32, 32))


def test_plain_scenes_go_through_every_piece_on_every_background() -> None:
    for art in (ART, Art(ART[:4])):  # an odd number of pieces and an even one
        count = len(art) * len(PALETTE)
        facts = [plain_scene(art, index, (16, 16)).facts for index in range(count)]
        assert len({(f.pieces[0].concept, f.background) for f in facts}) == count


def test_a_record_has_weighted_captions_the_facts_and_the_class() -> None:
    made = scene(ART, 0, 0, (32, 32))
    record = made.record("k", 0, share_of_sparse=0.1, label=2)
    assert [(c.kind, c.weight) for c in record.captions] == [("dense", 0.9), ("sparse", 0.1)]
    assert (record.key, record.label, record.facts) == ("k", 2, made.facts)
    assert record.captions == made.record("k", 0, share_of_sparse=0.1).captions
    assert [c.kind for c in made.record("k", 0, share_of_sparse=0.0).captions] == ["dense"]


def test_classes_are_subgroup_and_style_in_order() -> None:
    table = labels(ART)
    assert sorted(table) == list(table)
    assert list(table.values()) == list(range(5))
    assert table["kind of red", "Noto"] == 4


def test_overlapping_see_through_pieces_match_the_plain_formula_pixel_by_pixel() -> None:
    glass = [Placement(square(name, colour, alpha=120), SIDE, left, 3) for name, colour, left in
             (("first", (250, 10, 90), -6), ("second", (20, 200, 60), 7))]  # fmt: skip
    made = compose(glass, (30, 90, 250), (40, 40))
    wanted = np.full((40, 40, 3), (30, 90, 250), float)
    for placement in glass:
        for row in range(40):
            for column in range(40):
                y, x = row - placement.top, column - placement.left
                if 0 <= y < SIDE and 0 <= x < SIDE:
                    *colour, alpha = (int(value) for value in placement.piece.rgba[y, x])
                    share = alpha / 255
                    wanted[row, column] = share * np.array(colour) + (1 - share) * wanted[row, column]
    assert np.abs(made.picture - wanted).max() <= 1.5


@pytest.mark.parametrize("side", [5, 17, 32, 50])
def test_a_white_disc_with_black_under_its_transparency_vanishes_on_white(side: int) -> None:
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    rgba = np.zeros((SIDE, SIDE, 4), np.uint8)
    rgba[..., 3] = np.clip(14 - np.hypot(x, y), 0, 1) * 255
    rgba[rgba[..., 3] > 0, :3] = 255
    made = compose([Placement(Piece("disc", "Noto", "g", "s", (), rgba), side, 2, 1)], "white", (side + 3, side + 5))
    assert made.masks.any()
    assert (made.picture == 255).all()


def centre(made: Scene, concept: str) -> tuple[float, float]:
    """Where a piece stands by the pixels of its whole mask: across and down."""
    index = [piece.concept for piece in made.facts.pieces].index(concept)
    rows, columns = np.nonzero(made.whole[index])
    return (columns.min() + columns.max()) / 2, (rows.min() + rows.max()) / 2


def is_true(made: Scene, told: str) -> bool:
    """Whether what a caption says of two things agrees with their pixels; both must be named with their style."""
    between = "to the left of|to the right of|above|below|beside"
    found = re.match(rf"(.*?) ({between}) (.*?)( and (in front of|behind) (?:it|them))? on an? (.*) background$", told)
    assert found, told
    concepts = {piece.concept: piece for piece in made.facts.pieces}
    first, second = (next(c for c in concepts if words.endswith(c)) for words in found.group(1, 3))
    for concept, words in zip((first, second), found.group(1, 3), strict=True):
        assert STYLE_WORDS[concepts[concept].style] in words
    (x1, y1), (x2, y2) = centre(made, first), centre(made, second)
    meet = (made.whole[0] & made.whole[1]).any()
    order = [piece.concept for piece in made.facts.pieces]
    return (
        found[6] == made.facts.background
        and {
            "to the left of": x1 < x2, "to the right of": x1 > x2, "above": y1 < y2, "below": y1 > y2,
            "beside": abs(x1 - x2) >= abs(y1 - y2),
        }[found[2]]
        and (found[5] == ("in front of" if order.index(first) > order.index(second) else "behind") if meet else True)
    )  # fmt: skip


def test_what_500_captions_of_two_things_say_agrees_with_their_pixels() -> None:
    phrasings = set()
    for index in range(500):
        made = scene(ART, 9, index, ((64, 64), (40, 72), (72, 40))[index % 3], (2, 2))
        told = made.record(str(index), 9, share_of_sparse=0.0).captions[0].text
        assert is_true(made, told), told
        phrasings |= {
            words for words in ("left", "right", "above", "below", "beside", "front", "behind") if words in told
        }
    assert len(phrasings) == 7


def test_what_captions_of_three_things_say_agrees_with_their_pixels() -> None:
    for index in range(150):
        made = scene(ART, 9, index, ((64, 64), (40, 90), (90, 40))[index % 3], (3, 3))
        told = made.record(str(index), 9, share_of_sparse=0.0).captions[0].text
        named = sorted((told.index(f" {piece.concept}"), piece.concept) for piece in made.facts.pieces)
        axis = ("from left to right" in told, "from top to bottom" in told).index(True)
        places = [centre(made, concept)[axis] for _, concept in named]
        assert places == sorted(places), told


def test_where_a_lone_thing_is_said_to_stand_agrees_with_its_pixels() -> None:
    seen = set()
    for index in range(300):
        made = scene(ART, 9, index, ((64, 64), (40, 90))[index % 2], (1, 1), fill=(0.2, 0.9))
        told = made.record(str(index), 9, share_of_sparse=0.0).captions[0].text
        x, y = centre(made, made.facts.pieces[0].concept)
        height, width, _ = made.picture.shape
        said = re.search(r"in the centre|(?:on|at) the (top|bottom)? ?(left|right)?(?= on an?|;|$)", told)
        if said is None:
            continue
        seen.add(said[0])
        assert (said[2] or "") == ("left" if x < width / 3 - 1 else "right" if x > 2 * width / 3 + 1 else said[2] or "")
        assert (said[1] or "") == (
            "top" if y < height / 3 - 1 else "bottom" if y > 2 * height / 3 + 1 else said[1] or ""
        )
    assert len(seen) >= 7
