"""A whole run as one value: real emoji art, three stages, minutes on a CPU; and its relatives."""

from pinxit.diffusion.config import FlowConfig
from pinxit.generate.config import SamplingConfig
from pinxit.models.config import TransformerConfig
from pinxit.recipes.recipe import EmojiDataConfig, Recipe, RecordsDataConfig, StageConfig
from pinxit.train.config import AverageConfig, OptimizerConfig

DEMO_STYLE = "Noto"  # the one style that drew every concept


def demo() -> Recipe:
    """One style on eight backgrounds: what `make demo` trains in minutes on two cores.

    Words are learned where a picture has nine tokens, and drawn larger where it has sixteen.
    """
    art = EmojiDataConfig(styles=(DEMO_STYLE,), pictures=10_000)
    optimizer = OptimizerConfig(kind="muon", matrix_rate=2e-2, weight_decay=0.1, warmup=4_000, decay=1.0)
    small = StageConfig(teaches="text", data=art, images=100_000, resolution=48, optimizer=optimizer)
    return Recipe(
        name="demo",
        network=TransformerConfig(
            depth=6, width=192, heads=6, channels=16, outputs=1, caption_width=384, position_base=4
        ),
        process=FlowConfig(time_mean=1.0, time_spread=1.5),  # words decide where noise is strong: docs/log.md
        stages={
            "pixels": small.model_copy(
                update={
                    "teaches": "class",
                    "images": 12_000,
                    "optimizer": optimizer.model_copy(update={"decay": 0.0}),
                }
            ),
            "alignment": small,
            "aesthetics": small.model_copy(
                update={
                    "data": art.model_copy(update={"sparse": 0.0}),
                    "images": 110_000,
                    "resolution": 64,
                    "buckets": True,
                    "position_scale": 4 / 3,
                    "shift": 1.2,
                }
            ),
        },
        sampling=SamplingConfig(solver="euler", steps=25, guidance=3.0, batch=100),
    )


def shipped() -> Recipe:
    """What the model that ships was trained by: the demo's first two stages, longer and larger, on all default styles
    and on one and two objects; the machine's speed aside.
    """
    base = demo()
    data = EmojiDataConfig(pieces=2, pictures=24_000)
    pixels, alignment = (
        base.stages[name].model_copy(update={"data": data, "resolution": 64}) for name in ("pixels", "alignment")
    )
    stages = {
        "pixels": pixels.model_copy(update={"images": 12_800}),
        "alignment": alignment.model_copy(update={"images": 230_400}),
    }
    return base.model_copy(update={"name": "emoji", "stages": stages})


def own() -> Recipe:
    """A folder of own pictures: continues the shipped model by default, one stage, minutes on a CPU."""
    return Recipe(
        name="own",
        start="shipped",
        network=shipped().network,
        process=shipped().process,
        stages={
            "own": StageConfig(
                teaches="text",
                data=RecordsDataConfig(folder="data/own"),
                images=12_000,
                resolution=64,
                batch=16,
                optimizer=OptimizerConfig(learning_rate=2e-4, warmup=800, decay=0.5),
                average=AverageConfig(memory=2_000),
            )
        },
        sampling=shipped().sampling,
        probe_every=1_000,
    )


def smallest() -> Recipe:
    """Every part of a run at a size that trains in seconds: what the tests run."""
    art = EmojiDataConfig(styles=("Fxemoji",), pictures=64)
    text = StageConfig(teaches="text", data=art, images=192, resolution=32, batch=16)
    return Recipe(
        name="smallest",
        network=TransformerConfig(
            depth=2, width=32, heads=2, channels=16, outputs=1, caption_width=384, position_base=2
        ),
        stages={
            "pixels": text.model_copy(update={"teaches": "class"}),
            "alignment": text,
            "aesthetics": text.model_copy(
                update={"resolution": 48, "buckets": True, "position_scale": 1.5, "shift": 1.2, "batch": 8}
            ),
        },
        sampling=SamplingConfig(solver="euler", steps=4, guidance=2.0),
        probe_every=64,
    )
