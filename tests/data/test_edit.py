"""Before and after are exact: what the instruction names has changed as it says, all else is the same to the bit."""

import re

import numpy as np
import pytest

from pinxit.data.config import EDIT_KINDS, EditKind
from pinxit.data.edit import EditPair, edit_pair
from pinxit.data.emoji import Art, Piece
from pinxit.data.palette import PALETTE, STYLE_WORDS
from pinxit.data.scene import Scene
from pinxit.data.words import plain
from pinxit.errors import DataError

SIDE = 32
COLOURS = {
    "red owl": (220, 0, 0), "kite": (0, 160, 0), "apple": (0, 0, 220), "hat": (90, 40, 0), "socks": (0, 150, 160),
}  # fmt: skip
SHAPES = {"Noto": slice(4, 28), "Fluent 3D": slice(9, 23)}
SIZES = ((64, 64), (48, 96), (96, 40))


def piece(concept: str, style: str) -> Piece:
    """A square of the concept's colour, as large as its style makes it."""
    rgba = np.zeros((SIDE, SIDE, 4), np.uint8)
    rgba[SHAPES[style], SHAPES[style]] = (*COLOURS[concept], 255)
    return Piece(concept, style, "group", "subgroup", (), rgba)


ART = Art([piece(concept, style) for concept in COLOURS for style in SHAPES])


def made(kind: EditKind, count: int = 60) -> list[EditPair]:
    return [edit_pair(ART, 3, index, SIZES[index % 3], (kind,)) for index in range(count)]


def things(scene: Scene) -> dict[str, tuple[str, tuple[int, int, int, int]]]:
    return {piece.concept: (piece.style, piece.box) for piece in scene.facts.pieces}


def unchanged(pair: EditPair) -> np.ndarray:
    return np.asarray((pair.before.picture == pair.after.picture).all(-1))


def outside(pair: EditPair) -> np.ndarray:
    """What lies well outside the boxes of all that is not the same in both scenes."""
    before, after = (set(things(scene).items()) for scene in (pair.before, pair.after))
    free = np.ones(pair.before.picture.shape[:2], bool)
    for _, (_, (left, top, right, bottom)) in before ^ after:
        free[max(0, top - 2) : bottom + 2, max(0, left - 2) : right + 2] = False
    return free


@pytest.mark.parametrize("kind", ["swap", "remove", "add", "move", "style"])
def test_outside_the_pieces_that_changed_every_pixel_is_the_same(kind: EditKind) -> None:
    for pair in made(kind):
        assert unchanged(pair)[outside(pair)].all()
        assert not unchanged(pair).all()
        assert pair.before.facts.background == pair.after.facts.background


def test_a_new_background_leaves_the_pieces_and_shows_everywhere_else() -> None:
    for pair in made("background"):
        assert pair.before.facts.pieces == pair.after.facts.pieces
        new = pair.after.facts.background
        assert new != pair.before.facts.background
        assert re.search(rf"\b{new}\b", pair.instruction)
        bare = ~pair.after.whole.any(0)
        assert (pair.after.picture[bare] == PALETTE[new]).all(-1).mean() > 0.9  # but for soft edges
        for left, top, right, bottom in (piece.box for piece in pair.after.facts.pieces):
            assert unchanged(pair)[top + 2 : bottom - 2, left + 2 : right - 2].all()


def test_a_swap_names_what_goes_and_what_comes_and_keeps_place_and_style() -> None:
    for pair in made("swap"):
        before, after = things(pair.before), things(pair.after)
        (gone,), (new,) = before.keys() - after.keys(), after.keys() - before.keys()
        assert f"the {gone}" in pair.instruction
        assert (new if new == "socks" else f"a{'n' * (new == 'apple')} {new}") in pair.instruction
        assert before[gone] == after[new]


def test_a_removal_takes_what_it_names_and_something_stays() -> None:
    for pair in made("remove"):
        (gone,) = things(pair.before).keys() - things(pair.after).keys()
        assert pair.instruction.endswith((f"the {gone}", f"the {gone} away"))
        assert pair.after.facts.pieces


def test_an_addition_stands_where_it_is_said_to() -> None:
    told = set()
    for pair in made("add", 150):
        before, after = things(pair.before), things(pair.after)
        (new,) = after.keys() - before.keys()
        found = re.fullmatch(
            rf"\w+ (.*{new}) (to the left of|to the right of|above|below|between) (.*)", pair.instruction
        )
        assert found, pair.instruction
        told.add(found[2])
        others = [name.removeprefix("the ") for name in found[3].split(" and ")]
        (x, y), *rest = (((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for _, b in (after[name] for name in (new, *others)))
        assert {
            "to the left of": x < rest[0][0], "to the right of": x > rest[0][0],
            "above": y < rest[0][1], "below": y > rest[0][1],
            "between": len(rest) == 2 and (min(p[0] for p in rest) < x < max(p[0] for p in rest)
                                           or min(p[1] for p in rest) < y < max(p[1] for p in rest)),
        }[found[2]], pair.instruction  # fmt: skip
        alike = {style for style, _ in before.values()} == {after[new][0]}
        assert (STYLE_WORDS[after[new][0]] in found[1]) == (not alike)
    assert len(told) == 5


def test_a_lone_thing_moves_to_the_place_named_and_two_change_places() -> None:
    told = set()
    for pair in made("move", 150):
        before, after = things(pair.before), things(pair.after)
        assert before.keys() == after.keys()
        height, width, _ = pair.after.picture.shape
        if len(after) == 2:
            order = [[sorted(boxes, key=lambda name: boxes[name][1][axis]) for axis in (0, 1)]
                     for boxes in (before, after)]  # fmt: skip
            assert any(was == now[::-1] for was, now in zip(*order, strict=True))
            assert not (pair.after.whole[0] & pair.after.whole[1]).any()
            assert all(f"the {name}" in pair.instruction for name in after)
            continue
        ((name, (_, (left, top, right, bottom))),) = after.items()
        there = re.fullmatch(rf"\w+ the {name} to the (.*)", pair.instruction)
        assert there, pair.instruction
        told.add(there[1])
        across, down = (left + right) / 2 / width, (top + bottom) / 2 / height
        assert ("left" in there[1], "right" in there[1]) == (across < 1 / 3, across >= 2 / 3)
        assert ("top" in there[1], "bottom" in there[1]) == (down < 1 / 3, down >= 2 / 3)
        assert (there[1] == "centre") == (1 / 3 <= min(across, down) <= max(across, down) < 2 / 3)
    assert len(told) == 9


def test_a_new_style_is_named_and_nothing_else_is_new() -> None:
    for pair in made("style"):
        before, after = pair.before.facts.pieces, pair.after.facts.pieces
        assert [piece.concept for piece in before] == [piece.concept for piece in after]
        ((old, new),) = [(a, b) for a, b in zip(before, after, strict=True) if a.style != b.style]
        assert f"the {old.concept}" in pair.instruction
        assert STYLE_WORDS[new.style] in pair.instruction


def test_a_pair_is_a_function_of_seed_and_place() -> None:
    for index in range(12):
        first, again, other = (edit_pair(ART, seed, index, (40, 40)) for seed in (1, 1, 2))
        assert (first.instruction, first.kind, first.caption) == (again.instruction, again.kind, again.caption)
        assert (first.before.picture == again.before.picture).all()
        assert (first.after.picture == again.after.picture).all()
        assert (first.before.picture != other.before.picture).any()


def test_all_kinds_come_in_several_phrasings_and_the_caption_is_of_what_comes_out() -> None:
    pairs = [edit_pair(ART, 0, index, (48, 64)) for index in range(200)]
    assert {pair.kind for pair in pairs} == set(EDIT_KINDS)
    assert all(pair.caption == plain(pair.after.facts) for pair in pairs)
    for kind in EDIT_KINDS:
        assert len({pair.instruction.split()[0] for pair in pairs if pair.kind == kind}) >= 3


def test_every_change_can_be_seen() -> None:
    twins = Art([piece("kite", "Noto"), Piece("kite", "Fluent 3D", "g", "s", (), piece("kite", "Noto").rgba)])
    with pytest.raises(DataError, match="no edit of the kinds style was found for 2 pieces of art at 64 x 32"):
        edit_pair(twins, 0, 0, (32, 64), ("style",))


@pytest.mark.parametrize("kinds", [("swap",), ("remove",), ("add",), ("style",), ("swap", "add")])
def test_art_too_small_for_an_edit_is_refused_in_one_line(kinds: tuple[EditKind, ...]) -> None:
    with pytest.raises(DataError, match="prepare more styles, allow more kinds, or draw larger") as caught:
        edit_pair(Art([piece("kite", "Noto")]), 0, 0, (32, 32), kinds)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="0 pieces of art"):
        edit_pair(Art([]), 0, 0, (32, 32), kinds)
    assert edit_pair(Art([piece("kite", "Noto")]), 0, 0, (32, 32), (*kinds, "background")).kind == "background"
