"""Conditional distillation: finished text-to-image weights learn a task, and at once to draw it in few steps."""

from collections.abc import Callable

from pinxit.data.config import (
    ConditionConfig,
    DepthConfig,
    EdgesConfig,
    EditConfig,
    InpaintConfig,
    TaskConfig,
    UpscaleConfig,
)  # fmt: skip
from pinxit.distill.config import BranchConfig, CodiConfig, as_printed, as_published
from pinxit.generate.card import ModelCard
from pinxit.generate.config import SamplingConfig, Solver
from pinxit.recipes.recipe import DataConfig, EmojiDataConfig, Recipe, RecordsDataConfig, StageConfig
from pinxit.train.config import AverageConfig, OptimizerConfig

TASKS: dict[str, TaskConfig] = {
    "upscale": UpscaleConfig(),
    "inpaint": InpaintConfig(),
    "edges": EdgesConfig(),
    "depth": DepthConfig(),
    "edit": EditConfig(),
}
MANY = {"upscale": 4, "inpaint": 4}  # conditions a picture, where they are drawn; others follow from the picture
PIECES = {"edit": 1}  # of a scene; edits make scenes of their own
STEPS = 4
FOLLOWED = 20  # steps that the average remembers: what it has learned must come up the grid
MANY_STEPS = 25  # of a fine-tuned branch

SOLVERS: dict[str, Solver] = {"codi": "codi", "consistency": "consistency", "progressive": "codi"}
OBJECTIVES: dict[str, Callable[[], CodiConfig]] = {
    "ours": CodiConfig,
    "printed": as_printed,
    "published": as_published,
}


def codi(task: str, card: ModelCard, start: str, folder: str | None = None, objective: str = "ours") -> Recipe:
    """One stage on the weights that a card tells of: a branch of their own kind for the task, frozen otherwise.

    The pictures are those of a RECORDS folder, or scenes of the emoji art in the styles that the weights know.
    """
    if folder is None:
        pieces, styles = PIECES.get(task, 2), card.styles or EmojiDataConfig().styles
        data: DataConfig = EmojiDataConfig(styles=styles, pieces=pieces, pictures=16_000, sparse=0.05)
    else:
        data = RecordsDataConfig(folder=folder)
    batch, distilled = 32, OBJECTIVES[objective]()
    stage = StageConfig(
        teaches="condition",
        data=data,
        images=96_000,
        resolution=card.resolution,
        batch=batch,
        dropout=0.5,  # prompts are optional
        position_scale=card.network.position_scale,
        optimizer=OptimizerConfig(kind="muon", learning_rate=1e-3, matrix_rate=1e-2, warmup=3_200, decay=0.5),
        average=AverageConfig(memory=FOLLOWED * batch, share=0.2),
        branch=BranchConfig(condition=ConditionConfig(task=TASKS[task], many=MANY.get(task, 1)), codi=distilled),
    )
    return Recipe(
        name=task,
        start=start,
        null=card.null,
        network=card.network,
        process=card.process,
        autoencoder=card.encoders.autoencoder,
        text=card.encoders.text,
        stages={"codi": stage},
        sampling=SamplingConfig(solver="codi", steps=STEPS, guidance=1.0, anchors=distilled.grid),
        probe_every=8_000,
    )


def taught_by(recipe: Recipe, branch: BranchConfig) -> Recipe:
    """The recipe with its branch taught by another method, and drawn as that one draws."""
    stage = recipe.stages["codi"].model_copy(update={"branch": branch})
    if (grid := branch.grid) is None:
        solver: Solver = "ddim" if recipe.process.kind == "iddpm" else "euler"
        changes: dict[str, object] = {"solver": solver, "steps": MANY_STEPS}
    else:
        changes = {"solver": SOLVERS[branch.method], "steps": STEPS, "anchors": grid}
    sampling = recipe.sampling.model_copy(update=changes)
    tree = recipe.model_copy(update={"stages": {"codi": stage}, "sampling": sampling}).model_dump()
    return Recipe.model_validate(tree)
