"""One trial of the study of PixArt-α: which of the paper's choices it changes, its rate and seed; its recipe."""

from collections.abc import Mapping
from itertools import accumulate
from typing import Literal

from pydantic import Field

from pinxit.config import Config
from pinxit.diffusion.config import FlowConfig, IDDPMConfig, ProcessConfig
from pinxit.generate.config import SamplingConfig
from pinxit.models.config import TransformerConfig
from pinxit.recipes.emoji import DEMO_STYLE, demo
from pinxit.recipes.recipe import EmojiDataConfig, Recipe, StageConfig
from pinxit.recipes.work import work_of
from pinxit.train.config import OptimizerConfig

LOW, HIGH = 48, 64  # side in pixels of the first pictures and of the last
# how often the sparse caption is taken
SPARSE: Mapping[str, float] = {"dense": 0.0, "mixed": 0.5, "sparse": 1.0, "improved": 1.0}
STAGES: Mapping[str, Mapping[str, float]] = {  # shares of the computing
    "one": {"high": 1.0},
    "growing": {"low": 0.5, "high": 0.5},
    "classes": {"pixels": 0.125, "low": 0.375, "high": 0.5},
    "unmatched": {"pixels": 0.125, "low": 0.375, "high": 0.5},
}
PROCESSES: Mapping[str, ProcessConfig] = {
    "flow": FlowConfig(time_mean=2.0, time_spread=1.5),
    "flow, usual times": FlowConfig(),
    "iddpm": IDDPMConfig(),
    "iddpm, min-SNR": IDDPMConfig(most_snr=5.0),
}
OPTIMIZERS: Mapping[str, OptimizerConfig] = {
    "muon": OptimizerConfig(
        kind="muon", learning_rate=1e-3, matrix_rate=1e-2, weight_decay=0.1, warmup=4_000, decay=0.0
    ),
    "adamw": OptimizerConfig(learning_rate=2e-3, weight_decay=0.1, warmup=4_000, decay=0.0),
}


class Scale(Config):
    """How large the study is; every trial may use as many operations as `images` pictures of the base take."""

    style: str = DEMO_STYLE
    network: TransformerConfig = Field(default_factory=lambda: demo().network)
    images: int = Field(96_000, gt=0)
    pictures: int = Field(9_000, gt=0, description="different ones")
    batch: int = Field(64, gt=0)
    rates: tuple[float, ...] = Field((1.0, 0.5, 2.0), description="times each optimiser's, tried with the first seed")
    seeds: tuple[int, ...] = (0, 1, 2)
    points: int = Field(8, gt=0, description="equal parts of the computing after each of which the average draws")
    prompts: int = Field(200, gt=0)
    known: int | None = Field(None, description="pieces of art that drawings are held against; none: all of the style")
    steps: int = Field(20, gt=0, description="of sampling")
    improver: str | None = Field(None, description="folder that improves sparse captions; none: no arm has such ones")


class PixartTrial(Config):
    """A training run; the defaults are the base."""

    captions: Literal["dense", "mixed", "sparse", "improved"] = "dense"
    things: int = Field(1, ge=1, le=2, description="in a picture at most; with 2, every other picture has two")
    stages: Literal["one", "growing", "classes", "unmatched"] = "one"
    modulation: Literal["single", "shared", "block"] = "single"
    process: Literal["flow", "flow, usual times", "iddpm", "iddpm, min-SNR"] = "flow"
    optimizer: Literal["muon", "adamw"] = "muon"
    rate: float = Field(1.0, gt=0, description="times the optimiser's rates")
    seed: int = 0

    @property
    def arm(self) -> str:
        """What differs from the base, in words."""
        things = ["two things"] if self.things == 2 else []
        stages = {"growing": "low, high", "classes": "classes, low, high", "unmatched": "classes unmatched, low, high"}
        told = {"captions": "dense", "stages": "one", "modulation": "single", "process": "flow", "optimizer": "muon"}
        changed = [str(getattr(self, name)) for name, usual in told.items() if getattr(self, name) != usual]
        return ", ".join([*(stages.get(each, each) for each in changed), *things]) or "base"

    @property
    def name(self) -> str:
        """The trial in words."""
        return f"{self.arm}, rate {self.rate:g}, seed {self.seed}"

    @property
    def slug(self) -> str:
        """The name of its run folder."""
        return self.name.replace(", ", "-").replace(" ", "_")

    def but(self, **changes: object) -> "PixartTrial":
        """The same with other settings."""
        return PixartTrial.model_validate({**self.model_dump(), **changes})

    def recipe(self, scale: Scale) -> Recipe:
        """Its recipe: every stage has its share of the operations that the base has in all."""
        whole = scale.images * operations(PixartTrial().draft(scale), "high")
        draft = self.draft(scale)
        stages = {}
        for name, stage in draft.stages.items():
            images = STAGES[self.stages][name] * whole / operations(draft, name)
            stages[name] = stage.model_copy(update={"images": max(1, round(images / scale.batch)) * scale.batch})
        return draft.model_copy(update={"stages": stages})

    def draft(self, scale: Scale) -> Recipe:
        """Its recipe, but for the pictures that each stage sees."""
        optimizer = OPTIMIZERS[self.optimizer]
        rates = {name: self.rate * getattr(optimizer, name) for name in ("learning_rate", "matrix_rate")}
        process = PROCESSES[self.process]
        data = EmojiDataConfig(
            styles=(scale.style,), pieces=self.things, pictures=scale.pictures, sparse=SPARSE[self.captions],
            improver=scale.improver if self.captions == "improved" else None,
        )  # fmt: skip
        high = StageConfig(
            teaches="text",
            data=data,
            images=scale.batch,
            resolution=HIGH,
            batch=scale.batch,
            position_scale=HIGH / LOW,  # every grid has the same range of places
            optimizer=optimizer.model_copy(update=rates),
        )
        low = high.model_copy(update={"resolution": LOW, "position_scale": 1.0})
        kinds = {"pixels": low.model_copy(update={"teaches": "class"}), "low": low, "high": high}
        is_flow = isinstance(process, FlowConfig)
        network = {"modulation": self.modulation, "outputs": 1 if is_flow else 2}
        return Recipe(
            name="pixart-study",
            seed=self.seed,
            matched=self.stages != "unmatched",
            network=scale.network.model_copy(update=network),
            process=process,
            stages={name: kinds[name] for name in STAGES[self.stages]},
            sampling=SamplingConfig(solver="euler" if is_flow else "dpm", steps=scale.steps, guidance=2.0, batch=100),
            probe_every=max(scale.batch, scale.images // 4),
        )

    def marks(self, scale: Scale) -> dict[int, float]:
        """Pictures seen in all at each point that is examined, and its share of the computing: points of captions at
        the final size alone, since they are what is compared.
        """
        recipe, shares = self.recipe(scale), STAGES[self.stages]
        begun = 1 - shares["high"]
        last = recipe.stages["high"]
        before = sum(stage.images for stage in recipe.stages.values()) - last.images
        parts = [point / scale.points for point in range(1, scale.points + 1)]
        steps = last.images / last.batch
        return {
            before + max(1, round((part - begun) / shares["high"] * steps)) * last.batch: part
            for part in parts
            if part > begun + 1e-9
        }

    def captioned(self, scale: Scale, seen: int) -> int:
        """How many of so many pictures seen in all had a caption."""
        stages = self.recipe(scale).stages
        return seen - sum(stage.images for stage in stages.values() if stage.teaches == "class")


def operations(recipe: Recipe, name: str) -> float:
    """Of one picture in a stage, forward and backward, with its part of the optimiser's step."""
    stage = recipe.stages[name]
    work = work_of(recipe, stage, is_padded=False)
    return work.picture + work.step / stage.batch


def spent(recipe: Recipe, seen: int) -> float:
    """Operations of a run until so many pictures were seen."""
    ends = list(accumulate(stage.images for stage in recipe.stages.values()))
    begun = [0, *ends[:-1]]
    parts = zip(recipe.stages, begun, ends, strict=True)
    return sum(operations(recipe, name) * max(0, min(seen, end) - start) for name, start, end in parts)
