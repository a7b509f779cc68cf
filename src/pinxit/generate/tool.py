"""A pipeline with an adapter: conditions, and prompts where they are wanted, to pictures in a few steps."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from pinxit.data.condition import blend, read_condition
from pinxit.data.conditioned import encode_conditions
from pinxit.data.kind import Condition, Pixels
from pinxit.errors import ConfigError
from pinxit.generate.adapter import find_adapter, join_adapter, read_adapter_card
from pinxit.generate.card import refuse_strangers
from pinxit.generate.config import SamplingConfig
from pinxit.generate.sample import sample
from pinxit.models.adapter.control import Controlled
from pinxit.models.null import NullCondition, null_of

if TYPE_CHECKING:
    from pinxit.generate.pipeline import Drawing, Pipeline

BORDER = 3  # pixels over which what was painted gives way to what is known


class Tool:
    """A backbone with one task's branch. The backbone is the pipeline's own, shared by all of its tools.

    Raises CheckpointError for a file that is no adapter, or of other encoders or another backbone; of the backbone when
    it is built, which may be in drawing.
    """

    def __init__(self, pipeline: "Pipeline", adapter: Path | str) -> None:
        self.pipeline, self.file = pipeline, find_adapter(adapter)
        self.card = read_adapter_card(self.file)
        encoders = pipeline.autoencoder.identity, pipeline.text.identity
        refuse_strangers(self.card.name, (self.card.autoencoder, self.card.text), encoders)
        self._network = None if pipeline.comes_late else join_adapter(pipeline.network, self.file)[0]

    @property
    def network(self) -> Controlled:
        """The backbone with the branch, which are joined by now."""
        if self._network is None:
            self._network = join_adapter(self.pipeline.network, self.file)[0]
        return self._network

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

        texts = [prompt for prompt in prompts if prompt]
        encoded = iter(self.pipeline.text.encode(texts) if texts else [])
        captions = [next(encoded) if prompt else None for prompt in prompts]  # before a network that comes late
        for first in range(0, len(conditions), settings.batch):
            part = slice(first, first + settings.batch)
            pictures = self._draw(conditions[part], captions[part], seeds[part], settings)
            for picture, prompt, seed in zip(pictures, prompts[part], seeds[part], strict=True):
                yield Drawing(picture, prompt, seed)

    def _draw(
        self,
        conditions: Sequence[Condition],
        prompts: Sequence[Float[Tensor, "_ f"] | None],
        seeds: Sequence[int],
        settings: SamplingConfig,
    ) -> Iterator[Pixels]:
        pipeline, device = self.pipeline, self.pipeline.device
        height, width = self._latent_size(conditions)
        null = null_of(self.network.base, pipeline.null)
        null = NullCondition(null.kind, null.states.to(device))
        captions = [null.states if prompt is None else prompt.to(device) for prompt in prompts]
        told = [captions] if settings.guidance == 1 else [captions, null.instead_of(captions)]
        encoded = torch.cat([encode_conditions([each], pipeline.autoencoder) for each in conditions]).to(device)
        predict = pipeline.bind(told, (height, width), self.network, encoded)
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
