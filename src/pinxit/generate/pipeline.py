"""Words to pictures: the trained network with its own encoders."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from math import isqrt
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from pinxit.data.kind import Pixels
from pinxit.data.pixel import to_pictures
from pinxit.diffusion.build import make_process
from pinxit.diffusion.process import Latent
from pinxit.errors import ConfigError
from pinxit.generate.card import ModelCard, refuse_strangers
from pinxit.generate.config import SamplingConfig
from pinxit.generate.sample import Predict, sample
from pinxit.generate.tool import Tool
from pinxit.models.adapter.control import Controlled
from pinxit.models.autoencoder import Autoencoder
from pinxit.models.device import Device, products_in
from pinxit.models.null import NullCondition, stack_captions
from pinxit.models.packing import Packed
from pinxit.models.text import TextEncoder
from pinxit.models.transformer import Transformer

PIXELS = 2**20  # decoded at once: all that the published buckets of 1024 pixels hold; larger pictures go in tiles


@dataclass(frozen=True)
class Drawing:
    """A drawn picture and all that made it."""

    picture: Pixels
    prompt: str
    seed: int


class Pipeline:
    """Draws pictures from prompts; refuses encoders that the weights were not trained with.

    A function in the network's place builds it, on `device`, and makes the text encoder forget its weights. The two
    are then never held together: `draw` encodes all prompts first, and builds the network when it has no more to read.
    """

    def __init__(
        self,
        network: Transformer | Callable[[], Transformer],
        null: NullCondition,
        card: ModelCard,
        autoencoder: Autoencoder,
        text: TextEncoder,
        *,
        sha256: str = "",
        dtype: torch.dtype = torch.float32,
        device: Device = "cpu",
    ) -> None:
        refuse_strangers(card.name, (card.autoencoder, card.text), (autoencoder.identity, text.identity))
        self.null, self.card = null, card
        self._network = network if isinstance(network, Transformer) else None
        self._build = None if isinstance(network, Transformer) else network
        self.autoencoder, self.text, self.sha256 = autoencoder, text, sha256
        self.dtype = dtype  # of the network's products; the sampler and the autoencoder stay in float32
        self.process = make_process(card.process)
        self.device = next(self._network.parameters()).device if self._network else torch.device(device)

    @property
    def comes_late(self) -> bool:
        """Whether the network is built only once prompts are encoded."""
        return self._build is not None

    @property
    def network(self) -> Transformer:
        """The denoiser, which is built by now."""
        if self._network is None:
            assert self._build is not None, "there is a network or what builds it"
            self._network = self._build()
        return self._network

    def draw(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        settings: SamplingConfig,
        size: tuple[int, int] | None = None,
        negative: str = "",
    ) -> Iterator[Drawing]:
        """One picture of `size` (height, width in pixels) a prompt and seed, as they come."""
        height, width = self.latent_size(size or (self.card.resolution, self.card.resolution))
        shape = (self.card.network.channels, height, width)
        wanted = list(zip(prompts, seeds, strict=True))
        null, encoded = self._encode(prompts, negative, settings.batch)
        null = NullCondition(null.kind, null.states.to(self.device))
        for first, states in zip(range(0, len(wanted), settings.batch), encoded, strict=True):
            pairs = wanted[first : first + settings.batch]
            captions = [each.to(self.device) for each in states]
            told = [captions] if settings.guidance == 1 else [captions, null.instead_of(captions)]
            chosen = [seed for _, seed in pairs]
            bound = self.bind(told, (height, width))
            latent = sample(bound, self.process, settings, shape=shape, seeds=chosen, device=self.device)
            for (prompt, seed), picture in zip(pairs, self.decode(latent), strict=True):
                yield Drawing(picture, prompt, seed)

    def _encode(
        self, prompts: Sequence[str], negative: str, at_once: int
    ) -> tuple[NullCondition, Iterable[list[Float[Tensor, "_ f"]]]]:
        """The null condition, and the states of so many prompts at once: as they are asked for, or all by now."""
        if self._build is not None:
            self._network = None
        null = NullCondition("empty", self.text.encode([negative])[0]) if negative else self.null
        parts = (self.text.encode(prompts[first : first + at_once]) for first in range(0, len(prompts), at_once))
        return null, parts if self._build is None else list(parts)

    def decode(self, latent: Latent) -> Iterator[Pixels]:
        """The pictures of latents, of at most `PIXELS` at once: several, one, or a tile of one."""
        factor, codec = self.autoencoder.identity.factor, self.autoencoder
        pixels = latent.shape[-2] * latent.shape[-1] * factor**2
        for part in torch.split(latent, max(1, PIXELS // pixels)):
            is_whole = pixels <= PIXELS
            yield from to_pictures(
                codec.decode(part) if is_whole else codec.decode_tiled(part, isqrt(PIXELS) // factor)
            )

    @torch.no_grad()
    def bind(
        self,
        told: Sequence[list[Float[Tensor, "_ f"]]],
        size: tuple[int, int],
        controlled: Controlled | None = None,
        condition: Float[Tensor, "b k h w"] | None = None,
    ) -> Predict:
        """The network, or one with a branch and what it reads, bound to each of several captions of the same pictures,
        read once, and, where it knows sizes, to the pictures' own.
        """
        network = self.network if controlled is None else controlled
        ask: Callable[..., list[Tensor]] = network.denoise_each
        packed: AbstractContextManager[object] = Packed(network) if self.dtype == torch.float32 else nullcontext()
        with products_in(self.dtype, self.device):
            readings = [network.read(*stack_captions(captions)) for captions in told]
            if controlled is not None and condition is not None:
                ask = partial(controlled.denoise_each, tokens=controlled.control.tokens(condition))
        known: dict[str, Tensor] = {}
        if self.card.network.conditions:
            height, width = (side * self.autoencoder.identity.factor for side in size)
            size_told = torch.tensor([[float(height), float(width)]], device=self.device)
            known["size"] = size_told.expand(len(told[0]), -1)
            known["aspect"] = torch.full((len(told[0]),), height / width, device=self.device)

        def predict(latent: Latent, time: Float[Tensor, "1"], heard: int) -> list[Tensor]:
            with products_in(self.dtype, self.device), packed:
                outputs = ask(latent, time, readings[:heard], **known)
            return [output.to(latent.dtype) for output in outputs]

        return predict

    @staticmethod
    def load(source: Path | str | None = None) -> "Pipeline":
        """The pipeline of a run folder or of weights; none: the model that ships. `load_pipeline` has more to set."""
        from pinxit.generate.load import load_pipeline

        return load_pipeline(None if source is None else Path(source))

    def use(self, adapter: Path | str) -> Tool:
        """The tool that an adapter makes of this pipeline, which stays as it is: a file, a run folder, or for the model
        that ships the name of a task.
        """
        return Tool(self, adapter)

    @property
    def multiple(self) -> int:
        """What both sides of a picture are multiples of, in pixels."""
        return self.autoencoder.identity.factor * self.card.network.patch

    def latent_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the latent of a picture so large, in pixels; ConfigError where it does not fit."""
        if any(side <= 0 or side % self.multiple for side in size):
            problem = f"both sides must be multiples of {self.multiple}"
            raise ConfigError("size", size, problem, "choose the nearest one")
        factor = self.autoencoder.identity.factor
        return size[0] // factor, size[1] // factor


def save_png(
    drawing: Drawing,
    file: Path,
    settings: SamplingConfig,
    negative: str = "",
    *,
    card: ModelCard,
    sha: str,
    adapter: str = "",
) -> None:
    """A PNG whose text chunk `parameters` holds prompt and settings in the form that other tools of the field read.

    `sha` is of the weights, `adapter` the sha256 of an adapter's file where one drew.
    """
    height, width, _ = drawing.picture.shape
    lines = [drawing.prompt]
    if negative:
        lines.append(f"Negative prompt: {negative}")
    lines.append(
        f"Steps: {settings.steps}, Sampler: {settings.solver}, CFG scale: {settings.guidance}, Seed: {drawing.seed}, "
        f"Size: {width}x{height}, Model hash: {sha[:10]}, Model: {card.name}, "
        + (f"Adapter hash: {adapter[:10]}, " if adapter else "")
        + "Version: pinxit"
    )
    chunk = PngInfo()
    chunk.add_itxt("parameters", "\n".join(lines))
    chunk.add_itxt("pinxit", json.dumps({
        "prompt": drawing.prompt, "negative": negative, "seed": drawing.seed, "weights_sha256": sha,
        **({"adapter_sha256": adapter} if adapter else {}),
        "size": [height, width], **settings.model_dump(),
    }, ensure_ascii=False))  # fmt: skip
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(drawing.picture)).save(file, pnginfo=chunk)
