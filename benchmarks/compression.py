"""What a trained network says once keys and values of its deeper half are compressed, before it has learned to cope.

One JSON line: the change of the output, as a share of its own size, with the norm that Σ publishes and without it, on
latents of real pictures at the middle of the noise.
"""

import json

import torch
from torch import Tensor

from pinxit.data.emoji import load_art
from pinxit.data.pixel import to_pixels
from pinxit.data.scene import scene
from pinxit.data.split import split
from pinxit.data.words import plain
from pinxit.generate.load import load_pipeline
from pinxit.ledger.meter import find_hardware
from pinxit.models.config import CompressionConfig
from pinxit.models.null import stack_captions
from pinxit.models.transformer import Transformer
from pinxit.recipes.recipe import DEFAULT_STYLES

PICTURES, SIDE, TIME = 64, 128, 500.0


@torch.no_grad()
def main() -> None:
    pipeline, art = load_pipeline(), split(load_art(DEFAULT_STYLES)).training
    scenes = [scene(art, 1, index, (SIDE, SIDE), (1, 2)) for index in range(PICTURES)]
    latent, _ = pipeline.autoencoder.encode(to_pixels([s.picture for s in scenes]))
    latent = 0.5 * latent + 0.5 * torch.randn(latent.shape, generator=torch.Generator().manual_seed(0))
    caption, keep = stack_captions(pipeline.text.encode([plain(s.facts) for s in scenes]))
    time = torch.full((PICTURES,), TIME)
    network = pipeline.network
    plainly = network(latent, time, caption, keep)
    shares = {}
    for norm in (True, False):
        blocks = tuple(range(network.config.depth // 2, network.config.depth))
        config = network.config.model_copy(update={"compression": CompressionConfig(blocks=blocks, norm=norm)})
        squeezed = Transformer(config).eval()
        squeezed.load_state_dict(network.state_dict(), strict=False)
        shares["with the norm" if norm else "without it"] = share(squeezed(latent, time, caption, keep), plainly)
    print(json.dumps({
        "benchmark": "compression", "torch": torch.__version__, "hardware": find_hardware().say(),
        "blocks": blocks, "tokens": (SIDE // 16) ** 2, "change": shares,
    }))  # fmt: skip


def share(found: Tensor, expected: Tensor) -> float:
    return round(float((found - expected).norm() / expected.norm()), 4)


if __name__ == "__main__":
    main()
