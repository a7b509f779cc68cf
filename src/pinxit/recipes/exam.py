"""What tools are examined with: pictures of art that no training saw, their conditions, and what is drawn from them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from pinxit.data.condition import condition_of
from pinxit.data.config import EditConfig, TaskConfig
from pinxit.data.edit import EditPair, edit_pair
from pinxit.data.emoji import Art, load_art
from pinxit.data.kind import Condition, Pixels
from pinxit.data.palette import PALETTE
from pinxit.data.scene import Scene, single
from pinxit.data.split import split
from pinxit.generate.config import SamplingConfig
from pinxit.generate.tool import Tool
from pinxit.rng import numpy_at

SEED = 77
Pictures = UInt8[np.ndarray, "b height width 3"]


@dataclass(frozen=True)
class Question:
    """What a tool is given, and the picture that it was made from; of an edit the whole pair."""

    picture: Pixels
    condition: Condition
    prompt: str = ""
    edit: EditPair | None = None


def questions(task: TaskConfig, styles: Sequence[str], side: int, count: int) -> list[Question]:
    """So many questions, always the same: two fifths of concepts that no style showed in training, the rest of pairs of
    a known concept and a style that did not show it. Prompts are left out but for edits, which are instructions.
    """
    parts, asked = split(load_art(styles)), []
    concepts = 2 * count // 5
    for index in numpy_at(SEED, "order").permutation(count).tolist():
        art, place = (parts.unseen_concept, index) if index < concepts else (parts.unseen_style, index - concepts)
        if isinstance(task, EditConfig):
            pair = edit_pair(art, SEED, index, (side, side), task.kinds)
            asked.append(Question(pair.after.picture, Condition(pair.before.picture), pair.instruction, pair))
        else:
            scene = turn(art, place, side)
            condition = condition_of(task, scene.picture, numpy_at(SEED, f"condition/{index}"), scene)
            asked.append(Question(scene.picture, condition))
    return asked


def turn(art: Art, index: int, side: int) -> Scene:
    """Every piece on one background and another, in an order of its own: scene `index` counts through all pairs."""
    round_, place = divmod(index, len(art))
    order = numpy_at(SEED, "pieces").permutation(len(art))
    return single(art[int(order[place])], list(PALETTE)[(place + round_) % len(PALETTE)], (side, side))


def answer(tool: Tool, asked: Sequence[Question], settings: SamplingConfig) -> Pictures:
    """What the tool draws for each question, each with the noise of its own place."""
    conditions, prompts = [each.condition for each in asked], [each.prompt for each in asked]
    drawn = tool.draw(conditions, prompts, range(len(asked)), settings)
    return np.stack([each.picture for each in drawn])
