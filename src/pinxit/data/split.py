"""Which art is for training, which style of a known concept is held out, which concepts are never seen.

The split goes by design, not by picture: what differs by skin tone, gender or the hour on a clock is one design, and
stays together; styles of one family share designs, and are held out together. It is a function of names alone, so art
added later moves nothing.
"""

import re
from dataclasses import dataclass
from hashlib import blake2b

from pinxit.data.emoji import STYLES, Art, Piece

UNSEEN = 0.08  # share of designs never seen
HELD_OUT = 0.13  # share of the seen designs held out in each family of styles

_PEOPLE = re.compile(r"\b(man|woman|person|men|women|people|boy|girl|child|old|older|pregnant|mrs|mr|mx)\b\.?")
_CLOCK = re.compile(r"(o’clock|o'clock|-thirty)$")


@dataclass(frozen=True)
class Split:
    """Three sets of art without a design in common where that would give the answer away."""

    training: Art
    unseen_style: Art
    unseen_concept: Art


def design(concept: str) -> str:
    """What near-copies have in common: the concept without gender, age, hair, direction or hour."""
    if _CLOCK.search(concept):
        return "clock face"
    head = re.sub(r"\b(facing|pointing) (left|right|up|down)\b", "", concept.lower().split(":")[0])
    return " ".join(_PEOPLE.sub("", head).split()) or "person"


def place(name: str) -> float:
    """A fixed number in [0, 1) for a name."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little") / 2**64


def held_out_family(name: str) -> str | None:
    """The family of styles in which a design is held out, if any."""
    families = sorted({style.family for style in STYLES.values()})
    turn = int(place(f"style/{name}") / HELD_OUT)
    return families[turn] if turn < len(families) else None


def split(art: Art) -> Split:
    """The art in its three sets; among several families a pair is only held out where another one keeps its concept."""
    families: dict[str, set[str]] = {}
    for piece in art:
        families.setdefault(piece.concept, set()).add(STYLES[piece.style].family)
    alone = 1 if len({family for drawn in families.values() for family in drawn}) > 1 else 0

    def kind(piece: Piece) -> str:
        name = design(piece.concept)
        if place(f"concept/{name}") < UNSEEN:
            return "unseen concept"
        held_out = STYLES[piece.style].family == held_out_family(name) and len(families[piece.concept]) > alone
        return "unseen style" if held_out else "training"

    kinds = {(piece.concept, piece.style): kind(piece) for piece in art}
    return Split(*(
        art.where(lambda piece, wanted=wanted: kinds[piece.concept, piece.style] == wanted)  # type: ignore[misc]
        for wanted in ("training", "unseen style", "unseen concept")
    ))  # fmt: skip
