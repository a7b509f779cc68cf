"""Which art is for training, which style of a known concept is held out, which concepts are never seen.

The split goes by design, not by picture: what differs only by skin tone, gender, age, hair, colour, direction, number
or hour is one design, and so are concepts drawn nearly alike; a design stays together. Styles of one family share
designs, and are held out together. What is for training follows from the names of concept and style alone, so art added
later moves nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

from pinxit.data.emoji import STYLES, Art, Piece

UNSEEN = 0.08  # share of designs never seen
HELD_OUT = 0.13  # share of the seen designs held out in each family of styles

_HOUR = re.compile(r"(o’clock|o'clock|-thirty)$")
_VARIANT = re.compile(
    r"\b("
    r"(wo)?m[ae]n( and m[ae]n)?|person|people|boy|girl|child|old|older|pregnant|mrs|mr|mx|santa"
    r"|(light )?blue|red|orange|yellow|green|purple|brown|black|grey|white|pink"
    r"|(left|right|up|down)(wards|-facing)?|facing|pointing|tilted|first|last|waxing|waning"
    r"|(low|medium|high) (?=volume)|(with )?(raised|lowered) flag|(closed|open) (?=mailbox)|showing .*"
    r")\b\.?"
)
_ALIKE: Mapping[str, str] = {  # in some style their art differs by less than 0.05, root mean square
    "plain face": "slightly smiling face, neutral face, confused face, face with diagonal mouth, face without mouth, "
    "kissing face, kissing face with smiling eyes, slightly frowning face, frowning face, worried face, "
    "disappointed face, pensive face, hushed face, astonished face, anguished face, drooling face, "
    "frowning face with open mouth",
    "grinning face": "grinning face with big eyes, grinning face with smiling eyes, face with open mouth",
    "face with tongue": "winking face with tongue, squinting face with tongue",
    "face with horns": "smiling face with horns, angry face with horns",
    "grinning cat": "cat face, grinning cat with smiling eyes, cat with wry smile, pouting cat",
    "banknote": "dollar banknote, euro banknote, pound banknote, yen banknote",
    "hourglass": "hourglass done, hourglass not done",
    "post office": "Japanese post office",
    "heart": "heart suit",
    "cityscape at dusk": "sunset",
    "sports medal": "1st place medal, 2nd place medal, 3rd place medal",
    "full moon": "coin",
    "couple": "kiss, couple with heart",
    "monarch": "prince, princess, person with crown",
    "merperson": "mermaid, merman",
}
_DESIGN = {concept.lower(): name for name, concepts in _ALIKE.items() for concept in concepts.split(", ")}


@dataclass(frozen=True)
class Split:
    """Three sets of art without a design in common where that would give the answer away."""

    training: Art
    unseen_style: Art
    unseen_concept: Art


def design(concept: str) -> str:
    """What near-copies have in common: the concept without what its variants differ by."""
    if _HOUR.search(concept):
        return "clock face"
    head = concept.lower().split(":")[0]
    return _DESIGN.get(head) or " ".join(_VARIANT.sub("", head).split()) or "person"


def place(name: str) -> float:
    """A fixed number in [0, 1) for a name."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little") / 2**64


def held_out_family(name: str) -> str | None:
    """The family of styles in which a design is held out, if any."""
    families = sorted({style.family for style in STYLES.values()})
    turn = int(place(f"style/{name}") / HELD_OUT)
    return families[turn] if turn < len(families) else None


def split(art: Art) -> Split:
    """The art in its three sets.

    A pair held out from the only family that draws its concept leaves that concept unseen; where the art is of one
    family alone there is no other to know it from, and its held-out pairs count as those of an unseen style.
    """
    families: dict[str, set[str]] = {}
    for piece in art:
        families.setdefault(piece.concept, set()).add(STYLES[piece.style].family)
    several = len(set().union(*families.values())) > 1

    def kind(piece: Piece) -> str:
        name = design(piece.concept)
        if place(f"concept/{name}") < UNSEEN:
            return "unseen concept"
        if STYLES[piece.style].family != held_out_family(name):
            return "training"
        return "unseen concept" if several and len(families[piece.concept]) == 1 else "unseen style"

    kinds = {(piece.concept, piece.style): kind(piece) for piece in art}
    return Split(*(
        art.where(lambda piece, wanted=wanted: kinds[piece.concept, piece.style] == wanted)  # type: ignore[misc]
        for wanted in ("training", "unseen style", "unseen concept")
    ))  # fmt: skip
