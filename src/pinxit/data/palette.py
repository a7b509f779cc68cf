"""The eight named backgrounds, well apart, and the words of the styles."""

from collections.abc import Mapping

PALETTE: Mapping[str, tuple[int, int, int]] = {
    "white": (255, 255, 255),
    "light blue": (160, 208, 245),
    "pink": (250, 180, 200),
    "light green": (170, 226, 170),
    "yellow": (250, 226, 110),
    "lavender": (200, 180, 240),
    "dark grey": (64, 66, 74),
    "orange": (248, 160, 84),
}

STYLE_WORDS: Mapping[str, str] = {  # before the concept: "a 3D owl"
    "Fluent 3D": "3D",
    "Fluent flat": "flat",
    "Noto": "Noto",
    "Noto v1": "classic Noto",
    "Fxemoji": "Fxemoji",
    "Twemoji": "Twemoji",
    "Emojione": "Emojione",
}
