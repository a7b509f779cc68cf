"""What a tool draws at the end of its run: conditions, the same seeds in more and more steps, the truth."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from pinxit.data.conditioned import Conditioned
from pinxit.data.kind import Condition, Pixels, Record
from pinxit.generate.tool import Tool
from pinxit.recipes.material import HELD_OUT, Material, SceneRecords, read_data
from pinxit.recipes.recipe import Recipe
from pinxit.recipes.result import Sheet, note_sheet
from pinxit.recipes.sheet import lay

SHOWN = 8  # held-out pictures on a sheet
FEW = (1, 2, 4, 8)


def show_tool(recipe: Recipe, material: Material, tool: Tool, folder: Path, seen: int) -> None:
    """The samples of the run folder show what the tool makes of held-out pictures, without prompts but for edits."""
    squares = (each for each in held_out(recipe, material) if each.picture.shape[0] == each.picture.shape[1])
    shown = list(islice(squares, SHOWN))
    if not shown:
        return
    conditions, is_edit = [record.conditions[0] for record in shown], tool.card.task.kind == "edit"
    prompts = [record.captions[0].text if is_edit else "" for record in shown]
    own = tool.card.sampling
    steps = sorted({each for each in FEW if each <= own.anchors} | {own.steps}) if own.solver == "codi" else [own.steps]
    sheets: dict[str, Sequence[Pixels]] = {"condition": [seen_of(condition) for condition in conditions]}
    for count in steps:
        settings = own.model_copy(update={"steps": count})
        drawn = tool.draw(conditions, prompts, range(len(shown)), settings)
        sheets[f"{count} step{'s' if count > 1 else ''}"] = [drawing.picture for drawing in drawn]
    samples = folder / "samples"
    samples.mkdir(parents=True, exist_ok=True)
    save = {**sheets, "real": [record.picture for record in shown]}
    for name, pictures in save.items():
        lay([Image.fromarray(picture) for picture in pictures], SHOWN).save(samples / f"{name.replace(' ', '-')}.png")
    captions = tuple(prompt or record.captions[0].text for prompt, record in zip(prompts, shown, strict=True))
    for name in sheets:
        file = f"{name.replace(' ', '-')}.png"
        note_sheet(samples, Sheet(stage=name, seen=seen, file=file, captions=captions, seeds=tuple(range(len(shown)))))


def held_out(recipe: Recipe, material: Material) -> Iterator[Record]:
    """The records that training never saw, with their conditions, one after another."""
    stage, cache = material.stage, material.cache
    records = read_data(stage.data, stage, recipe.seed, cache.fingerprint.multiple)
    keys = [cache.keys[place] for place in material.held_out]
    if isinstance(records, SceneRecords):
        places = [int(key.removeprefix(HELD_OUT)) for key in keys]
    else:
        assert isinstance(records, Conditioned)
        places = records.places(keys)
    yield from (records[place] for place in places)


def seen_of(condition: Condition) -> Pixels:
    """A condition as a picture: itself, or its map in grey."""
    if condition.picture is not None:
        return condition.picture
    assert condition.map is not None
    return np.repeat(condition.map[..., None], 3, axis=2)
