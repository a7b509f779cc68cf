"""What captions tell: every way to say a telling is read back, and nothing else is."""

import numpy as np
import pytest

from pinxit.data.kind import Facts, Placed
from pinxit.data.telling import PLACES, RESERVED, SIZES, TURNED, Telling, Thing, is_sayable, read, ways
from pinxit.data.words import dense

OWL, ENGINE, SOCKS = (
    Thing("owl", "Fluent 3D", "small"), Thing("fire engine", "Fluent flat"), Thing("socks", "Noto v1", "large"),
)  # fmt: skip


@pytest.mark.parametrize(
    "told",
    [
        *(Telling((thing,), "light blue", where) for thing in (OWL, ENGINE, SOCKS) for where in ("", *PLACES)),
        *(Telling((OWL, SOCKS), "orange", relation=name) for name in TURNED),
    ],
)  # fmt: skip
def test_every_way_to_say_it_is_read_back(told: Telling) -> None:
    for text in ways(told):
        found = read(text)
        assert found in {told, told.turned() if len(told.things) == 2 else told}, text


def test_the_captions_of_scenes_are_in_the_grammar() -> None:
    boxes = [(0, 40, 30, 70), (60, 10, 95, 45)]
    for seed in range(200):
        rng = np.random.default_rng(seed)
        count = 1 + seed % 2
        pieces = tuple(
            Placed(concept, "Noto v1", boxes[place], place)
            for place, concept in list(enumerate(("fire engine", "socks")))[:count]
        )
        text = dense(Facts("dark grey", pieces), [()] * count, (100, 100), rng)
        told = read(text)
        assert told is not None, text
        assert {thing.concept for thing in told.things} == {piece.concept for piece in pieces}
        assert told.background == "dark grey"
        assert told.relation in {"", "beside", "left of", "right of"}


@pytest.mark.parametrize(
    "text",
    [
        "", "owl", "owl, 3D, small; pink background", "a 3D owl", "an 3D owl on a pink background",
        "a 3D owl on an pink background", "a 3D owl on a pink background.", " a 3D owl on a pink background",
        "a 3D owl on a pink background on a white background", "a 3D owl on the left on the right on a pink background",
        "a 3D owl or fire engine on a pink background", "a 3D owl and a 3D engine on a pink background",
        "a 3D 3D owl on a pink background", "a 3D flat owl on a pink background",
        "a small large 3D owl on a pink background",
        "a 3D owl on a pink or white background", "a 3D owl on a pink background; bird, wise",
        "a drawing of an owl on a pink background; 3D flat style", "a drawing of an owl on a pink background; style",
        "a drawing of owl on a pink background; 3D style",
        "a 3D owl beside a 3D dog beside a 3D cat on a pink background",
        "a 3D owl left of a 3D dog on a pink background", "a 3D owl to the above a 3D dog on a pink background",
        "A 3D owl on a pink background", "a 3D owl on a pink background\n", "a 3D owl on a crimson background",
    ],
)  # fmt: skip
def test_what_is_not_to_the_letter_tells_nothing(text: str) -> None:
    assert read(text) is None


def test_concepts_can_be_told_from_the_grammar() -> None:
    assert is_sayable("fire engine")
    assert is_sayable("jack-o-lantern")
    for concept in (
        "man: beard",
        "fish on a plate",
        "top hat",
        "flat shoe",
        "pink heart",
        "woman and man holding hands",
    ):
        assert not is_sayable(concept)
    assert RESERVED.issuperset({"beside", "background", "centre", "classic", "3d", *SIZES})
