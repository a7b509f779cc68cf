"""A pipeline with an adapter: conditions, and prompts where they are wanted, to pictures in a few steps."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image

from pinxit.data.condition import blend, read_condition
from pinxit.data.conditioned import encode_conditions
from pinxit.data.kind import Condition, Pixels
from pinxit.errors import ConfigError
from pinxit.generate.adapter import join_adapter
from pinxit.generate.config import SamplingConfig
from pinxit.generate.sample import sample
from pinxit.models.null import NullCondition

if TYPE_CHECKING:
    from pinxit.generate.pipeline import Drawing, Pipeline

BORDER = 3  # pixels over which what was painted gives way to what is known


class Tool:
    """A backbone with one task's branch. The backbone is the pipeline's own, shared by all of its tools."""

    def __init__(self, pipeline: "Pipeline", file: Path) -> None:
        self.pipeline = pipeline
        self.network, self.card = join_adapter(pipeline.network, file)

    def __call__(
        self,
        condition: Condition | Path | str,
        prompt: str = "",
        *,
        mask: Path | str | None = None,
        seed: int = 0,
        steps: int | None = None,
    ) -> Image.Image:
        """One picture made from a condition or from the file of one, with a mask's where the task has it: in so many
        steps, or in as many as the adapter's file says. DataError for files that do not fit the task.
        """
        if not isinstance(condition, Condition):
            hidden = None if mask is None else Path(mask)
            condition = read_condition(self.card.task, Path(condition), None, mask=hidden)
        changes = {} if steps is None else {"steps": steps}
        settings = SamplingConfig.model_validate(self.card.sampling.model_dump() | changes)
        (drawing,) = self.draw([condition], [prompt], [seed], settings)
        return Image.fromarray(drawing.picture)

    @torch.no_grad()
    def draw(
        self, conditions: Sequence[Condition], prompts: Sequence[str], seeds: Sequence[int], settings: SamplingConfig
    ) -> Iterator["Drawing"]:
        """One picture for each condition, prompt and seed, as they come; an empty prompt is no prompt.

        Raises ConfigError where the conditions are not all of one size, whose sides are multiples of the network's.
        """
        from pinxit.generate.pipeline import Drawing

        for first in range(0, len(conditions), settings.batch):
            part = slice(first, first + settings.batch)
            pictures = self._draw(conditions[part], prompts[part], seeds[part], settings)
            for picture, prompt, seed in zip(pictures, prompts[part], seeds[part], strict=True):
                yield Drawing(picture, prompt, seed)

    def _draw(
        self, conditions: Sequence[Condition], prompts: Sequence[str], seeds: Sequence[int], settings: SamplingConfig
    ) -> Iterator[Pixels]:
        pipeline, device = self.pipeline, self.pipeline.device
        height, width = self._latent_size(conditions)
        null, texts = pipeline.null, [prompt for prompt in prompts if prompt]
        null = NullCondition(null.kind, null.states.to(device))
        encoded = iter(pipeline.text.encode(texts) if texts else [])
        captions = [next(encoded).to(device) if prompt else null.states for prompt in prompts]
        told = [captions] if settings.guidance == 1 else [captions, null.instead_of(captions)]
        encoded_conditions = encode_conditions(conditions, pipeline.autoencoder).to(device)
        predict = pipeline.bind(told, (height, width), self.network, encoded_conditions)
        shape = (pipeline.card.network.channels, height, width)
        latent = sample(predict, pipeline.process, settings, shape=shape, seeds=seeds, device=device)
        for picture, condition in zip(pipeline.decode(latent), conditions, strict=True):
            if condition.picture is not None and condition.map is not None:  # all but the hidden part is known
                yield blend(picture, condition.picture, condition.map, BORDER)
            else:
                yield picture

    def _latent_size(self, conditions: Sequence[Condition]) -> tuple[int, int]:
        sizes = {part.shape[:2] for one in conditions for part in (one.picture, one.map) if part is not None}
        if len(sizes) != 1:
            raise ConfigError("condition", sorted(sizes), "pictures drawn together have one size", "draw them apart")
        return self.pipeline.latent_size(sizes.pop())
