"""The end of a run: its average weights as a model file that says what it belongs with, and what to try with it."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import torch

from pinxit.data.cache import Cache
from pinxit.data.emoji import STYLES
from pinxit.data.record import Facts, Placed
from pinxit.data.words import plain
from pinxit.generate.adapter import ADAPTER, AdapterCard, write_adapter
from pinxit.generate.card import MODEL, Encoders, Licence, ModelCard
from pinxit.generate.stored import write_model
from pinxit.ledger.report import bill
from pinxit.models.adapter.control import Controlled
from pinxit.models.null import NullCondition, null_of
from pinxit.models.transformer import Transformer
from pinxit.recipes.build import process_config
from pinxit.recipes.material import cache_folder
from pinxit.recipes.recipe import DataConfig, EmojiDataConfig, Recipe
from pinxit.recipes.result import LICENCES, RECIPE
from pinxit.train.state import TrainState

OWN = Licence(name="the user's own pictures", spdx="NOASSERTION", note="their terms are the user's to know")
WORDS = Licence(name="words of Emojibase", spdx="MIT", note="emojibase-data")
KNOWN = "rocket"  # every style drew it, and none holds it out


def save_model(
    recipe: Recipe,
    state: TrainState,
    folder: Path,
    start: ModelCard | None = None,
    dtype: torch.dtype = torch.float32,
    *,
    name: str = MODEL,
) -> Path:
    """`model.safetensors` in the run folder, or another `name` there, holds the average weights with their card, and
    `licences.json` their licences.

    `start` is the card of the weights that the run began with, whose licences go on.
    """
    assert (start is None) == (recipe.start is None), "the licences of the weights that the run began with are lost"
    stage = list(recipe.stages.values())[state.stage]
    network = state.average.model
    assert isinstance(network, Transformer)
    cache = Cache(cache_folder(recipe, stage, folder))
    total = bill(folder).total
    card = ModelCard(
        name=recipe.name,
        network=network.config,
        process=process_config(recipe, stage),
        autoencoder=cache.fingerprint.autoencoder,
        text=cache.fingerprint.text,
        null=recipe.null,
        encoders=Encoders(autoencoder=recipe.autoencoder, text=recipe.text),
        sampling=recipe.sampling,
        resolution=stage.resolution,
        styles=stage.data.styles if isinstance(stage.data, EmojiDataConfig) else (),
        seen=state.seen,
        stages=tuple(recipe.stages),
        data=stage.data.kind,
        licences=licences(recipe, start),
        ledger={"seconds": total.seconds, "joules": total.joules},
    )
    file = folder / name
    write_model(file, network, null_of(network, NullCondition("empty", cache.null)), card, dtype)
    _write_licences(folder, card.licences)
    return file


def save_adapter(recipe: Recipe, state: TrainState, folder: Path, start: ModelCard, backbone: str) -> Path:
    """`adapter.safetensors` in the run folder holds the average branch, or all of the network where all was trained.

    `start` and `backbone` are the card and the fingerprint of the weights that the run began with.
    """
    stage = list(recipe.stages.values())[state.stage]
    network, branch = state.average.model, stage.branch
    assert isinstance(network, Controlled)
    assert branch is not None
    made, total = Cache(cache_folder(recipe, stage, folder)).fingerprint, bill(folder).total
    card = AdapterCard(
        name=recipe.name,
        task=branch.condition.task,
        control=network.control.config,
        whole=branch.trains == "all",
        backbone=backbone,
        null=recipe.null,
        process=process_config(recipe, stage),
        autoencoder=made.autoencoder,
        text=made.text,
        sampling=recipe.sampling,
        resolution=stage.resolution,
        seen=state.seen,
        data=stage.data.kind,
        licences=licences(recipe, start),
        ledger={"seconds": total.seconds, "joules": total.joules},
    )
    write_adapter(folder / ADAPTER, network, card)
    _write_licences(folder, card.licences)
    return folder / ADAPTER


def _write_licences(folder: Path, works: tuple[Licence, ...]) -> None:
    rows = [licence.model_dump() for licence in works]
    (folder / LICENCES).write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")


def licences(recipe: Recipe, start: ModelCard | None) -> tuple[Licence, ...]:
    """The works that a run's weights come from: those of the weights it began with, then those of all its data."""
    begun = start.licences if start else ()
    learned = (licence for stage in recipe.stages.values() for licence in _works(stage.data))
    return tuple(dict.fromkeys((*begun, *learned)))


def _works(data: DataConfig) -> Iterator[Licence]:
    if not isinstance(data, EmojiDataConfig):
        yield OWN
        return
    for style in (STYLES[name] for name in data.styles):
        yield Licence(name=f"{style.name} emoji art by {style.author}", spdx=style.spdx, note=str(style.package))
    yield WORDS


def known_prompt(data: EmojiDataConfig) -> str:
    """A prompt in the words of the data: one thing, in the first of its styles."""
    return plain(Facts("pink", (Placed(KNOWN, data.styles[0], (0, 0, 1, 1), 0),)))


def next_commands(recipe: Recipe, folder: Path, prompt: str) -> list[str]:
    """Three commands to try with a finished run; each works as it is printed, whatever the prompt and the folder."""
    name, stage = list(recipe.stages.items())[-1]
    if stage.branch is not None:
        return _commands_of_tool(recipe, folder, stage.branch.condition.task.kind, stage.images)
    words = f" {prompt}" if prompt.startswith("-") else prompt  # or they would be taken for a flag
    longer = [f"--stages.{name}.images", str(2 * stage.images), "--out", f"{folder}-longer"]
    commands = (
        ["pinxit", "generate", "--from", str(folder), words],
        ["pinxit", "cost", str(folder)],
        ["pinxit", "train", str(folder / RECIPE), *longer],
    )
    return [shlex.join(command) for command in commands]


def _commands_of_tool(recipe: Recipe, folder: Path, task: str, images: int) -> list[str]:
    """The same for an adapter; `picture.png` stands for a picture of the user's."""
    source = [] if recipe.start in {None, "shipped"} else ["--from", str(recipe.start)]
    name, longer = next(iter(recipe.stages)), f"{folder}-longer"
    more = {"edit": ["make the background pink"], "depth": ["--is-map"]}.get(task, [])
    tool = ["--adapter", str(folder / ADAPTER), "--condition", "picture.png", *more]
    commands = (
        ["pinxit", "generate", *source, *tool],
        ["pinxit", "cost", str(folder)],
        ["pinxit", "train", str(folder / RECIPE), f"--stages.{name}.images", str(2 * images), "--out", longer],
    )
    return [shlex.join(command) for command in commands]
