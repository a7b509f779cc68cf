"""PixArt-α's five steps at 256, 512 and 1024 pixels with the paper's numbers (Table 4 and the published settings)."""

from math import sqrt

from pinxit.diffusion.config import IDDPMConfig
from pinxit.generate.config import SamplingConfig
from pinxit.models.config import DiffusersAutoencoderConfig, T5Config, TransformerConfig
from pinxit.recipes.recipe import Recipe, RecordsDataConfig, StageConfig
from pinxit.train.config import AverageConfig, OptimizerConfig

PICTURES = {"data/imagenet": 1_000_000, "data/sam-dense": 10_000_000, "data/aesthetic": 14_000_000}  # different ones
BASE_BATCH = 256  # the batch at which the published square-root rule leaves the rate alone


def _stage(
    folder: str, teaches: str, resolution: int, steps: int, batch: int, *, scale_rate: bool, multi: bool = False
) -> StageConfig:
    rate = 2e-5 * (sqrt(batch / BASE_BATCH) if scale_rate else 1.0)
    return StageConfig.model_validate({
        "teaches": teaches,
        "data": RecordsDataConfig(folder=folder, held_out=0.0),
        "images": steps * batch,
        "resolution": resolution,
        "buckets": multi,
        "batch": batch,
        "position_scale": 2.0 if resolution == 1024 else 1.0,
        "optimizer": OptimizerConfig(
            learning_rate=rate, betas=(0.9, 0.999), epsilon=1e-10, weight_decay=3e-2, clip=0.01,
            warmup=1000 * batch, decay=0.0,
        ),
        "average": AverageConfig(memory=10_000 * batch, share=1.0),  # 0.9999 kept a step
    })  # fmt: skip


def paper(*, scale_rate: bool = False, conditions: bool = True) -> Recipe:
    """PixArt-α. `scale_rate` multiplies the rate by sqrt(batch / 256), as the published settings do and the text does
    not say; `conditions` tells the network size and aspect ratio, which the published 1024 px model knows.
    """
    return Recipe(
        name="pixart",
        seed=43,
        network=TransformerConfig(conditions=conditions),
        process=IDDPMConfig(),
        autoencoder=DiffusersAutoencoderConfig(folder="models/sd-vae-ft-ema"),
        text=T5Config(folder="models/t5-v1_1-xxl"),
        stages={
            "pixels": _stage("data/imagenet", "class", 256, 300_000, 128 * 8, scale_rate=scale_rate),
            "alignment": _stage("data/sam-dense", "text", 256, 150_000, 178 * 64, scale_rate=scale_rate),
            "aesthetics_256": _stage("data/aesthetic", "text", 256, 90_000, 178 * 64, scale_rate=scale_rate),
            "aesthetics_512": _stage(
                "data/aesthetic", "text", 512, 100_000, 40 * 64, scale_rate=scale_rate, multi=True
            ),
            "aesthetics_1024": _stage(
                "data/aesthetic", "text", 1024, 16_000, 12 * 32, scale_rate=scale_rate, multi=True
            ),
        },
        sampling=SamplingConfig(solver="dpm", steps=20, guidance=4.5),
    )


def scaled() -> Recipe:
    """PixArt-α with rates that grow with the square root of the batch, as the published settings have them."""
    return paper(scale_rate=True)
