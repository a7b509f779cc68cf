"""A recipe trained from the command line: own pictures go on from given weights, with samples before and after."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pinxit.data.bucket import Bucket, fit
from pinxit.data.kind import Pixels
from pinxit.data.pixel import through
from pinxit.data.records import Records, read_records
from pinxit.errors import ConfigError, DataError
from pinxit.evaluate.nearest import find_nearest
from pinxit.generate.adapter import fingerprint
from pinxit.generate.card import ModelCard, model_file
from pinxit.generate.config import SamplingConfig
from pinxit.generate.load import load_pipeline
from pinxit.generate.pipeline import Pipeline
from pinxit.generate.stored import read_model
from pinxit.ledger.budget import Budget
from pinxit.ledger.meter import Meter
from pinxit.log import Bar
from pinxit.models.null import hold_null
from pinxit.models.transformer import Transformer
from pinxit.recipes.build import check_start, network_config, process_config
from pinxit.recipes.course import Course
from pinxit.recipes.emoji import shipped
from pinxit.recipes.finish import known_prompt, next_commands, save_adapter, save_model
from pinxit.recipes.material import Material, open_material, wanted_fingerprint
from pinxit.recipes.page import write_page
from pinxit.recipes.recipe import Recipe, RecordsDataConfig
from pinxit.recipes.result import Nearest, Sheet, note_sheet
from pinxit.recipes.sheet import lay
from pinxit.recipes.strip import show_tool
from pinxit.train.checkpoint import complete_checkpoints
from pinxit.train.compute import choose_compute

SHOWN = 8  # prompts on a sheet
BEFORE = "before"  # the stage that stands for what came before the run


def start_file(recipe: Recipe) -> Path | None:
    """The model file that a recipe begins with; none for a start from scratch."""
    if recipe.start is None:
        return None
    return model_file(None if recipe.start == "shipped" else Path(recipe.start))


def train_recipe(recipe: Recipe, folder: Path, budget: Budget | None = None) -> Path:
    """The page of the finished run; the run folder also holds its model. Goes on where it was stopped.

    Raises Stopped once it has saved itself, if that was asked for or the budget is spent.
    """
    file = start_file(recipe)
    network: Transformer | None = None
    card: ModelCard | None = None
    if file is not None:
        network, null, card, _ = read_model(file)
        if recipe.network not in (card.network, shipped().network):
            problem = "the weights that the run starts with have another network"
            raise ConfigError("network", recipe.network, problem, "leave it out, or start from scratch: --start none")
        recipe = recipe.model_copy(update={"network": card.network})  # the weights decide
        name, first = next(iter(recipe.stages.items()))
        wanted, factor = wanted_fingerprint(recipe, first)
        check_start(card, recipe, wanted)
        drawn = network_config(recipe, first, factor), process_config(recipe, first)
        if first.branch is not None and drawn != (card.network, card.process):
            problem = "its resolution, position_scale or shift, or the process, are not those of the weights"
            remedy = "leave them out: an adapter is drawn as its backbone is"
            raise ConfigError(f"stages.{name}", first.resolution, problem, remedy)
        if null.kind != "empty":
            hold_null(network, null)
    name, last = list(recipe.stages.items())[-1]
    has_before = isinstance(last.data, RecordsDataConfig) and last.branch is None
    if file is not None and has_before and not complete_checkpoints(folder):
        _show_before(file, recipe, folder)
    course = Course(recipe, folder, start=network, budget=budget)
    backbone = fingerprint(network) if network is not None and last.branch is not None else ""
    state = course.run()
    if last.branch is not None:
        assert card is not None
        assert file is not None
        adapter = save_adapter(recipe, state, folder, card, backbone)
        with Meter(folder).stage(name, "evaluate"):
            material = open_material(recipe, last, folder, course.compute.device)
            show_tool(recipe, material, load_pipeline(file, device=material.device).use(adapter), folder, state.seen)
        return write_page(folder, next_commands(recipe, folder, ""))
    save_model(recipe, state, folder, card)
    if isinstance(last.data, RecordsDataConfig):
        with Meter(folder).stage(name, "evaluate"):
            material = open_material(recipe, last, folder, course.compute.device)
            gallery = open_gallery(recipe, material, folder)
            gallery.show_after(load_pipeline(folder, device=material.device), name, state.seen)
        prompt = gallery.shown[0].prompt
    else:
        prompt = known_prompt(last.data)
    return write_page(folder, next_commands(recipe, folder, prompt))


def _show_before(file: Path, recipe: Recipe, folder: Path) -> None:
    """The sheet of what the weights draw that the run begins with; its pictures are encoded first."""
    meter = Meter(folder)
    with meter.stage(BEFORE, "encode"):
        device = choose_compute(recipe.compute).device
        material = open_material(recipe, list(recipe.stages.values())[-1], folder, device)
    with meter.stage(BEFORE, "sample"):
        open_gallery(recipe, material, folder).show_before(load_pipeline(file, device=device))


def settings_for(recipe: SamplingConfig, weights: SamplingConfig) -> SamplingConfig:
    """How weights draw in a recipe's run: as it says, unless they are the teacher of its student of few steps, which
    cannot draw so.
    """
    is_teacher = recipe.solver == "consistency" and weights.solver != "consistency"
    return weights if is_teacher else recipe


@dataclass(frozen=True)
class Shown:
    """A picture of the import whose caption is a prompt; `split` is "training" or "held out"."""

    place: int
    prompt: str
    split: str


@dataclass(frozen=True)
class Gallery:
    """The samples of a run on own pictures: each time the same prompts and seeds, the real pictures beside them."""

    recipe: Recipe
    samples: Path
    records: Records
    training: Sequence[int]  # places in the import
    shown: Sequence[Shown]

    def show_before(self, pipeline: Pipeline) -> None:
        """There is a sheet of what the run's first weights draw."""
        self._save("before", self._draw(pipeline))
        note_sheet(self.samples, self._sheet(BEFORE, 0, "before.png"))

    def show_after(self, pipeline: Pipeline, stage: str, seen: int) -> None:
        """There is a sheet of what the trained weights draw, of the training pictures nearest to it, of the real
        pictures, and of those after a way through the autoencoder.
        """
        drawn, real = self._draw(pipeline), [self._fitted(one.place) for one in self.shown]
        self._save("after", drawn)
        self._save("nearest", find_nearest(drawn, self._learned()))
        self._save("real", real)
        self._save("ceiling", through(pipeline.autoencoder, real))
        nearest = Nearest(file="nearest.png", among=len(self.training))
        note_sheet(self.samples, self._sheet(stage, seen, "after.png", nearest))

    @property
    def side(self) -> int:
        """Of every picture shown, in pixels."""
        return list(self.recipe.stages.values())[-1].resolution

    def _draw(self, pipeline: Pipeline) -> list[Pixels]:
        prompts = [one.prompt for one in self.shown]
        settings = settings_for(self.recipe.sampling, pipeline.card.sampling)
        drawings = pipeline.draw(prompts, range(len(prompts)), settings, (self.side, self.side))
        return [drawing.picture for drawing in drawings]

    def _sheet(self, stage: str, seen: int, file: str, nearest: Nearest | None = None) -> Sheet:
        return Sheet(
            stage=stage,
            seen=seen,
            file=file,
            captions=tuple(one.prompt for one in self.shown),
            seeds=tuple(range(len(self.shown))),
            splits=tuple(one.split for one in self.shown),
            nearest=nearest,
        )

    def _learned(self) -> Iterator[Pixels]:
        """The training pictures, one at a time."""
        with Bar("looking for the nearest", len(self.training)) as bar:
            for done, place in enumerate(self.training, 1):
                yield self._fitted(place)
                bar.move(done)

    def _fitted(self, place: int) -> Pixels:
        return fit(self.records[place].picture, Bucket(self.side, self.side))

    def _save(self, name: str, pictures: Sequence[Pixels]) -> None:
        self.samples.mkdir(parents=True, exist_ok=True)
        lay([Image.fromarray(picture) for picture in pictures], SHOWN).save(self.samples / f"{name}.png")


def open_gallery(recipe: Recipe, material: Material, folder: Path) -> Gallery:
    """The gallery of a run folder; its prompts are captions of training pictures and, up to a half, of held-out ones.

    DataError if the import no longer has a picture that was encoded from it.
    """
    data = material.stage.data
    assert isinstance(data, RecordsDataConfig)
    records = read_records(Path(data.folder))
    places = {key: place for place, key in enumerate(records.keys)}
    if gone := [key for key in material.cache.keys if key not in places]:
        problem = f"{len(gone)} pictures that the run has encoded are no longer there, such as {gone[0]}"
        raise DataError(records.folder, problem, "import them again, or train in another run folder")
    known = [places[key] for key in material.cache.keys]
    held_out = [known[i] for i in material.held_out]
    training = [known[i] for i in sorted(i for _, group in material.plan.buckets for i in group)]
    some = spread(held_out, SHOWN // 2)
    chosen = [("training", place) for place in spread(training, SHOWN - len(some))]
    chosen += [("held out", place) for place in some]
    shown = [Shown(place, records.captions(place)[0].text, split) for split, place in chosen]
    return Gallery(recipe, folder / "samples", records, training, shown)


def spread(places: Sequence[int], most: int) -> list[int]:
    """At most `most` of the places, evenly spread from the first to the last."""
    return [places[i] for i in np.linspace(0, len(places) - 1, min(most, len(places))).round().astype(int)]
