"""The measures of a tool's answers: distances between sets, nearness to the truth, and what the condition asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pinxit.data.config import EdgesConfig, TaskConfig
from pinxit.data.edge import canny, soft_edges
from pinxit.data.emoji import load_art
from pinxit.data.pixel import through
from pinxit.evaluate.alignment import Judge
from pinxit.evaluate.distance import frechet_distance, paired_kernel_distance
from pinxit.evaluate.edited import is_done, rest_error
from pinxit.evaluate.feature import Lite0
from pinxit.evaluate.fidelity import psnr, ssim
from pinxit.evaluate.perceptual import HedVGG16
from pinxit.generate.pipeline import Pipeline
from pinxit.recipes.exam import Pictures, Question

SEED = 5  # of bootstraps
EDITED_COUNT = 200  # pictures, the first ones, that the slow judge looks at
SIDE = 64  # at which the feature network looks: that of the pictures
HED_COUNT = 400  # pictures, the first ones, that the slow network looks at


@dataclass(frozen=True)
class Marks:
    """Of every answer its features and its nearness to the truth, of the first `HED_COUNT` that on HED's features; and
    the error of its edges, where edges were asked for; of edits whether each of the first `EDITED_COUNT` was made, 0 or
    1, and the error where nothing was to change.
    """

    features: Float[Tensor, "n d"]
    hed: Float[Tensor, "m"]
    psnr: Float[Tensor, "n"]
    ssim: Float[Tensor, "n"]
    edges: Float[Tensor, "e"]
    edited: Float[Tensor, "k"]
    rest: Float[Tensor, "r"]

    def summary(self, truth: Float[Tensor, "n d"]) -> dict[str, float | tuple[float, float]]:
        """One number a measure; `truth` are the true pictures' features."""
        kernel = paired_kernel_distance(truth, self.features, SEED)
        means = {name: float(getattr(self, name).mean()) for name in ("hed", "psnr", "ssim")}
        wanted = {"edges": self.edges, "edited": self.edited, "rest": self.rest}
        asked = {name: float(each.mean()) for name, each in wanted.items() if len(each)}
        return {
            "kernel": kernel.value, "interval": kernel.interval, "frechet": frechet_distance(truth, self.features),
            **means, **asked,
        }  # fmt: skip


@dataclass
class Marker:
    """The networks that look at a pipeline's pictures, each loaded when it is first needed."""

    pipeline: Pipeline

    def mark(self, task: TaskConfig, asked: Sequence[Question], drawn: Pictures) -> Marks:
        """The marks of a set of answers."""
        real = np.stack([each.picture for each in asked])
        (hed,) = self._hed.distances(real[:HED_COUNT], drawn[:HED_COUNT])
        edges = edge_errors(task, asked, drawn) if isinstance(task, EdgesConfig) else np.empty(0)
        near = (hed, psnr(real, drawn), ssim(real, drawn), edges, *self._edited(asked, drawn))
        return Marks(self.features(drawn), *(torch.as_tensor(each, dtype=torch.float32) for each in near))

    def features(self, pictures: Pictures) -> Float[Tensor, "n d"]:
        """As they are kept: to half precision."""
        return self.lite0.features(pictures).half().float()

    def _edited(
        self, asked: Sequence[Question], drawn: Pictures
    ) -> tuple[Float[np.ndarray, "k"], Float[np.ndarray, "r"]]:
        """Whether the first edits were made, and of all of them what was spoiled; nothing of other tasks."""
        edits = [(picture, each.edit) for picture, each in zip(drawn, asked, strict=True) if each.edit is not None]
        made = [
            is_done(self._judge.judge(picture), edit.before.facts, edit.after.facts)
            for picture, edit in edits[:EDITED_COUNT]
        ]
        return np.array(made, float), np.array([rest_error(picture, e.before, e.after) for picture, e in edits], float)

    @cached_property
    def _judge(self) -> Judge:
        codec = self.pipeline.autoencoder
        return Judge(load_art(self.pipeline.card.styles), self.lite0.features, partial(through, codec))

    @cached_property
    def lite0(self) -> Lite0:
        """The network of features."""
        return Lite0(SIDE)

    @cached_property
    def _hed(self) -> HedVGG16:
        return HedVGG16()


def edge_errors(task: EdgesConfig, asked: Sequence[Question], drawn: Pictures) -> Float[np.ndarray, "n"]:
    """The mean difference, 0 to 1, between the edges of each answer and those that were asked for."""
    extract = canny if task.detector == "canny" else soft_edges
    wanted = [question.condition.map for question in asked]
    return np.array([
        np.abs(extract(picture).astype(float) - edges).mean() / 255
        for picture, edges in zip(drawn, wanted, strict=True)
        if edges is not None
    ])  # fmt: skip
