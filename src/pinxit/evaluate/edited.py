"""Whether a picture shows what an instruction asked for, and is otherwise as it was."""

import numpy as np

from pinxit.data.kind import Facts, Pixels, Placed
from pinxit.data.scene import Scene
from pinxit.evaluate.alignment import Area, Verdict
from pinxit.evaluate.score import assign, is_found

CHANGED = 8  # levels by which a pixel of the truth must change to count as meant
AROUND = 3  # pixels about such ones that are left out too: an autoencoder smears


def is_done(verdict: Verdict, before: Facts, after: Facts) -> bool:
    """Whether what the judge sees is the scene after the edit, in all in which it differs from the scene before.

    The background has its colour; things that came are found, in the style asked for where that alone is new; things
    that went are not what any area looks most like; things that moved are nearer to where they should be than to where
    they were.
    """
    if after.background not in {before.background, verdict.background}:
        return False
    shown = list(zip(after.pieces, assign(verdict.areas, after.pieces), strict=True))
    had, has = (({piece.concept: piece for piece in facts.pieces}) for facts in (before, after))
    if any(_looks_like(area, concept) for concept in had if concept not in has for area in verdict.areas):
        return False
    return all(_is_as_asked(piece, area, had.get(piece.concept)) for piece, area in shown)


def _is_as_asked(piece: Placed, area: Area | None, was: Placed | None) -> bool:
    """Whether a thing is there as it should be; what was there alike before need not be looked at."""
    if was == piece:
        return True
    if area is None or not is_found(area, piece):
        return False
    if was is None:
        return True
    if was.style != piece.style:
        return area.style == piece.style
    there, here = (np.hypot(*np.subtract(area.centre, each.centre)) for each in (was, piece))
    return bool(here < there)


def _looks_like(area: Area, concept: str) -> bool:
    """Whether there is nothing that the area looks more like, by either measure."""
    return min(area.by_pixels.rank(concept), area.by_lite0.rank(concept)) == 1


def rest_error(picture: Pixels, before: Scene, after: Scene) -> float:
    """The root mean square difference in levels, where the truth is as it was before, and not near what was meant."""
    meant = np.abs(before.picture.astype(np.int16) - after.picture).max(-1) >= CHANGED
    for _ in range(AROUND):
        wide = np.pad(meant, 1)
        meant = wide[1:-1, 1:-1] | wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:]
    if meant.all():
        return 0.0
    apart = (picture.astype(float) - before.picture)[~meant]
    return float(np.sqrt(np.square(apart).mean()))
