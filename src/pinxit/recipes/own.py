"""A recipe trained from the command line: own pictures go on from given weights, with samples before and after."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from pinxit.data.bucket import buckets, fit
from pinxit.data.kind import Pixels
from pinxit.data.records import Records, read_records
from pinxit.evaluate.feature import thumbnails
from pinxit.generate.card import read_model
from pinxit.generate.load import load_pipeline, model_file
from pinxit.generate.pipeline import Pipeline
from pinxit.models.transformer import Transformer
from pinxit.recipes.course import Course
from pinxit.recipes.finish import save_model
from pinxit.recipes.page import write_page
from pinxit.recipes.recipe import Recipe, RecordsDataConfig
from pinxit.recipes.sheet import lay

SHOWN = 8  # prompts on a sheet


def start_file(recipe: Recipe) -> Path | None:
    """The model file that a recipe begins with; none for a start from scratch."""
    if recipe.start is None:
        return None
    return model_file(None if recipe.start == "shipped" else Path(recipe.start))


def train_recipe(recipe: Recipe, folder: Path) -> Path:
    """The page of the finished run; the run folder also holds its model. Goes on where it was stopped."""
    file = start_file(recipe)
    network: Transformer | None = None
    if file is not None:
        network, _, card, _ = read_model(file)
        recipe = recipe.model_copy(update={"network": card.network})  # the weights decide
    last = list(recipe.stages.values())[-1]
    records = read_records(Path(last.data.folder)) if isinstance(last.data, RecordsDataConfig) else None
    folder.mkdir(parents=True, exist_ok=True)
    if records is not None and file is not None and not (folder / "samples" / "before.png").is_file():
        _draw(load_pipeline(file), recipe, records, folder, "before")
    state = Course(recipe, folder, start=network).run()
    save_model(recipe, state, folder)
    if records is not None:
        drawn = _draw(load_pipeline(folder), recipe, records, folder, list(recipe.stages)[-1])
        _show(folder, "nearest training picture", nearest(drawn, records), _prompts(records))
    return write_page(folder, [
        f'pinxit generate "{_prompts(records)[0] if records is not None else "a 3D owl"}" --from {folder}',
        f"pinxit cost {folder}",
        f"pinxit train {folder} --help",
    ])  # fmt: skip


def _prompts(records: Records) -> list[str]:
    """Captions of pictures spread over the whole set."""
    places = np.linspace(0, len(records) - 1, min(SHOWN, len(records))).round().astype(int)
    return [records.captions(int(place))[0].text for place in places]


def _draw(pipeline: Pipeline, recipe: Recipe, records: Records, folder: Path, name: str) -> list[Pixels]:
    prompts = _prompts(records)
    side = list(recipe.stages.values())[-1].resolution
    drawings = pipeline.draw(prompts, range(len(prompts)), recipe.sampling, (side, side))
    pictures = [drawing.picture for drawing in drawings]
    _show(folder, name, pictures, prompts)
    return pictures


def nearest(drawn: Sequence[Pixels], records: Records) -> list[Pixels]:
    """For every drawn picture the training picture whose 16x16 pixels are nearest, at the same size."""
    height, _, _ = drawn[0].shape
    (square,) = buckets(height, 1, aspect=False)
    known = torch.cat([thumbnails(fit(record.picture, square)[None]) for record in records])
    places = torch.cdist(thumbnails(np.stack(drawn)), known).argmin(1).tolist()
    return [fit(records[place].picture, square) for place in places]


def _show(folder: Path, name: str, pictures: Sequence[Pixels], prompts: Sequence[str]) -> None:
    samples = folder / "samples"
    samples.mkdir(parents=True, exist_ok=True)
    file = f"{name.replace(' ', '-')}.png"
    lay([Image.fromarray(picture) for picture in pictures], SHOWN).save(samples / file)
    index = samples / "index.json"
    rows = json.loads(index.read_text(encoding="utf-8")) if index.is_file() else []
    row = {"stage": name, "seen": 0, "file": file, "captions": list(prompts), "seeds": list(range(len(prompts)))}
    rows = [old for old in rows if old["stage"] != name]
    index.write_text(json.dumps([*rows, row], ensure_ascii=False), encoding="utf-8")
