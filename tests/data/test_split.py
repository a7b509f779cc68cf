"""No design is on both sides; what is for training never depends on what else was loaded."""

from itertools import combinations

import numpy as np
import pytest

from pinxit.data.emoji import DEFAULT_STYLES, STYLES, Art, Piece, home, load_art
from pinxit.data.split import design, held_out_family, place, split

DOT = np.zeros((1, 1, 4), np.uint8)
NAMES = [f"thing {letter}{number}" for letter in "abcdefghij" for number in range(60)]


def piece(concept: str, style: str, tone: str | None = None) -> Piece:
    return Piece(concept, style, "group", "subgroup", (), DOT, tone)


def art(styles: tuple[str, ...] = DEFAULT_STYLES) -> Art:
    return Art(piece(name, style) for style in styles for name in NAMES)


def pairs(some: Art) -> set[tuple[str, str]]:
    return {(piece.concept, piece.style) for piece in some}


@pytest.mark.parametrize(
    "alike",
    [
        ("cook", "man cook", "woman cook"),
        ("person walking", "man walking: facing right", "woman walking"),
        ("woman and man holding hands", "men holding hands", "people holding hands"),
        ("one o’clock", "twelve-thirty"),
        ("red heart", "light blue heart", "heart suit"),
        ("left-facing fist", "right-facing fist"),
        ("leftwards hand", "rightwards hand"),
        ("speaker low volume", "speaker high volume"),
        ("Mrs. Claus", "Santa Claus", "Mx Claus"),
        ("mermaid", "merman", "merperson"),
        ("person", "old man", "woman: red hair", "child"),
        ("cat face", "grinning cat"),
        ("Japanese post office", "post office"),
        ("first quarter moon", "last quarter moon"),
        ("globe showing Americas", "globe showing Asia-Australia"),
    ],
)
def test_variants_are_one_design(alike: tuple[str, ...]) -> None:
    assert len({design(name) for name in alike}) == 1


@pytest.mark.parametrize(
    "apart", [("owl", "eagle"), ("woman cook", "woman judge"), ("high voltage", "water wave"), ("orange book", "owl")]
)
def test_different_things_are_different_designs(apart: tuple[str, str]) -> None:
    assert design(apart[0]) != design(apart[1])


def test_a_name_has_one_place_for_ever() -> None:
    assert place("concept/owl") == pytest.approx(0.5717691475)


def test_every_picture_is_in_one_set_and_the_shares_are_as_stated() -> None:
    whole = art()
    parts = split(whole)
    sets = [pairs(part) for part in (parts.training, parts.unseen_style, parts.unseen_concept)]
    assert sum(map(len, sets)) == len(whole)
    assert set().union(*sets) == pairs(whole)
    assert len(sets[1]) >= 0.1 * len(whole)
    assert 0.05 * len(NAMES) < len(parts.unseen_concept.concepts) < 0.11 * len(NAMES)
    assert not set(parts.unseen_concept.concepts) & set(parts.training.concepts)


def test_a_held_out_design_is_missing_from_its_whole_family_and_known_from_another() -> None:
    parts = split(art())
    training = pairs(parts.training)
    for held in parts.unseen_style:
        family = STYLES[held.style].family
        known = {STYLES[style].family for concept, style in training if concept == held.concept}
        assert known
        assert family not in known


def test_training_never_depends_on_what_else_was_loaded() -> None:
    whole = pairs(split(art()).training)
    for styles in (("Fluent 3D",), ("Noto", "Fxemoji"), ("Noto v1",)):
        assert pairs(split(art(styles)).training) == {pair for pair in whole if pair[1] in styles}


def test_a_pair_held_out_from_its_only_family_leaves_the_concept_unseen() -> None:
    name = next(n for n in NAMES if held_out_family(n) == "Noto" and place(f"concept/{n}") >= 0.08)
    parts = split(Art([piece(name, "Noto"), piece("owl", "Fluent 3D")]))
    assert parts.unseen_concept.concepts == (name,)
    alone = split(Art([piece(name, "Noto")]))
    assert alone.unseen_style.concepts == (name,)


def test_skin_tones_stay_with_their_concept() -> None:
    tones = ("light", "dark", None)
    for name in NAMES[:60]:
        parts = split(Art(piece(name, "Noto", tone) for tone in tones))
        assert sorted(len(part) for part in (parts.training, parts.unseen_style, parts.unseen_concept)) == [0, 0, 3]


def test_no_art_splits_into_nothing() -> None:
    parts = split(Art([]))
    assert [len(parts.training), len(parts.unseen_style), len(parts.unseen_concept)] == [0, 0, 0]


@pytest.mark.skipif(
    any(not (home() / "emoji" / "art" / name).is_dir() for name in ("fluent-3d", "noto")),
    reason="the emoji art is not prepared here",
)
def test_no_near_copy_of_the_real_art_crosses_the_split() -> None:
    some = load_art(("Fluent 3D", "Noto"), side=32)
    parts = split(some)
    assert len(parts.unseen_concept.concepts) >= 100
    assert len(parts.unseen_style) >= 0.1 * len(some)
    for style, pieces in some.by_style.items():
        training = [piece for piece in parts.training if piece.style == style]
        kept = {piece.concept for piece in training}
        others = [piece for piece in pieces if piece.concept not in kept]
        assert len(training) >= 1100
        nearest = np.sqrt(squared_distances(stack(others), stack(training)).min())
        assert nearest >= 0.05, style


def stack(pieces: list[Piece]) -> np.ndarray:
    rgba = np.stack([piece.rgba for piece in pieces]).astype(np.float32) / 255
    colour, alpha = rgba[..., :3], rgba[..., 3:]
    return np.concatenate([colour * alpha + 0.5 * (1 - alpha), alpha], -1).reshape(len(pieces), -1)


def squared_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1)[None] - 2 * first @ second.T
    return np.maximum(0, squares) / first.shape[1]


def test_variants_of_one_design_are_on_the_same_side_in_every_style() -> None:
    names = [f"{who}thing {letter}{number}" for letter in "abcdef" for number in range(20) for who in ("", "woman ")]
    parts = split(Art(piece(name, style) for name in names for style in DEFAULT_STYLES))
    assert all((parts.training, parts.unseen_style, parts.unseen_concept))
    for first, second in combinations((parts.training, parts.unseen_style, parts.unseen_concept), 2):
        assert not designs(first) & designs(second)


def test_adding_a_style_moves_no_concept_between_seen_and_unseen() -> None:
    before, after = split(art(("Noto", "Fluent 3D"))), split(art(tuple(STYLES)))
    assert set(before.unseen_concept.concepts) == set(after.unseen_concept.concepts)
    assert pairs(before.unseen_style) <= pairs(after.unseen_style)


def designs(some: Art) -> set[tuple[str, str]]:
    return {(design(piece.concept), piece.style) for piece in some}
