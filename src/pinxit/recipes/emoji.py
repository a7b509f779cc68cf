"""A whole run as one value: real emoji art, three stages, minutes on a CPU."""

from pinxit.diffusion.config import FlowConfig
from pinxit.generate.config import SamplingConfig
from pinxit.models.config import TransformerConfig
from pinxit.recipes.recipe import DEFAULT_STYLES, EmojiDataConfig, Recipe, StageConfig
from pinxit.train.config import AverageConfig, OptimizerConfig


def demo() -> Recipe:
    """One style on eight backgrounds: what `make demo` trains in minutes on two cores."""
    art = EmojiDataConfig(styles=("Fluent 3D",), pictures=12_000)
    optimizer = OptimizerConfig(kind="muon", learning_rate=1e-3, matrix_rate=1e-2, warmup=4_000, decay=0.3)
    return Recipe(
        name="demo",
        network=TransformerConfig(
            depth=6, width=192, heads=6, channels=16, outputs=1, caption_width=384, position_base=4
        ),
        process=FlowConfig(),
        stages={
            "pixels": StageConfig(
                teaches="class",
                data=art,
                images=40_000,
                resolution=64,
                optimizer=optimizer.model_copy(update={"decay": 0.0}),
            ),
            "alignment": StageConfig(teaches="text", data=art, images=260_000, resolution=64, optimizer=optimizer),
            "aesthetics": StageConfig(
                teaches="text",
                data=art.model_copy(update={"sparse": 0.0}),
                images=24_000,
                resolution=96,
                buckets=True,
                batch=64,
                position_scale=1.5,
                shift=1.2,
                optimizer=optimizer.model_copy(update={"decay": 0.5}),
                average=AverageConfig(memory=10_000),
            ),
        },
        sampling=SamplingConfig(solver="euler", steps=25, guidance=3.0, batch=100),
    )


def shipped() -> Recipe:
    """All default styles, one and two pieces: the model that ships."""
    plain = EmojiDataConfig(styles=DEFAULT_STYLES, pictures=48_000)
    scenes = plain.model_copy(update={"pieces": 2, "pictures": 60_000})
    optimizer = OptimizerConfig(kind="muon", learning_rate=1e-3, matrix_rate=1e-2, warmup=8_000, decay=0.0)
    return Recipe(
        name="emoji",
        network=TransformerConfig(
            depth=10, width=256, heads=8, channels=16, outputs=1, caption_width=384, position_base=4
        ),
        process=FlowConfig(),
        stages={
            "pixels": StageConfig(teaches="class", data=plain, images=100_000, resolution=64, optimizer=optimizer),
            "alignment": StageConfig(teaches="text", data=scenes, images=1_000_000, resolution=64, optimizer=optimizer),
            "aesthetics": StageConfig(
                teaches="text",
                data=scenes.model_copy(update={"sparse": 0.0}),
                images=200_000,
                resolution=96,
                buckets=True,
                batch=64,
                position_scale=1.5,
                shift=1.2,
                optimizer=optimizer.model_copy(update={"decay": 0.5}),
            ),
        },
        sampling=SamplingConfig(solver="euler", steps=25, guidance=3.0),
    )
