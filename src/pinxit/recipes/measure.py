"""The measures of a tool's answers: distances between sets, nearness to the truth, and what the condition asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from pinxit.data.config import EdgesConfig, TaskConfig
from pinxit.data.edge import canny, soft_edges
from pinxit.evaluate.distance import frechet_distance, paired_kernel_distance
from pinxit.evaluate.feature import Lite0
from pinxit.evaluate.fidelity import psnr, ssim
from pinxit.evaluate.perceptual import HedVGG16
from pinxit.recipes.exam import Pictures, Question

SEED = 5  # of bootstraps
SIDE = 64  # at which the feature network looks: that of the pictures
HED_COUNT = 400  # pictures, the first ones, that the slow network looks at


@dataclass(frozen=True)
class Marks:
    """Of every answer its features and its nearness to the truth, of the first `HED_COUNT` that on HED's features; and
    the error of its edges, where edges were asked for.
    """

    features: Float[Tensor, "n d"]
    hed: Float[Tensor, "m"]
    psnr: Float[Tensor, "n"]
    ssim: Float[Tensor, "n"]
    edges: Float[Tensor, "n"]

    def summary(self, truth: Float[Tensor, "n d"]) -> dict[str, float | tuple[float, float]]:
        """One number a measure; `truth` are the true pictures' features."""
        kernel = paired_kernel_distance(truth, self.features, SEED)
        means = {name: float(getattr(self, name).mean()) for name in ("hed", "psnr", "ssim")}
        edges = {"edges": float(self.edges.mean())} if len(self.edges) else {}
        return {
            "kernel": kernel.value, "interval": kernel.interval, "frechet": frechet_distance(truth, self.features),
            **means, **edges,
        }  # fmt: skip


class Marker:
    """The networks that look at pictures, each loaded once."""

    def mark(self, task: TaskConfig, asked: Sequence[Question], drawn: Pictures) -> Marks:
        """The marks of a set of answers."""
        real = np.stack([each.picture for each in asked])
        edges = edge_errors(task, asked, drawn) if isinstance(task, EdgesConfig) else np.empty(0)
        (hed,) = self._hed.distances(real[:HED_COUNT], drawn[:HED_COUNT])
        near = (hed, psnr(real, drawn), ssim(real, drawn), edges)
        return Marks(self.features(drawn), *(torch.tensor(each, dtype=torch.float32) for each in near))

    def features(self, pictures: Pictures) -> Float[Tensor, "n d"]:
        """As they are kept: to half precision."""
        return self._lite0.features(pictures).half().float()

    @cached_property
    def _lite0(self) -> Lite0:
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
