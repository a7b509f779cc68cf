"""A whole run as one value: real emoji art, three stages, minutes on a CPU; and its relatives."""

from pinxit.diffusion.config import FlowConfig
from pinxit.generate.config import SamplingConfig
from pinxit.models.config import TransformerConfig
from pinxit.recipes.recipe import EmojiDataConfig, Recipe, RecordsDataConfig, StageConfig
from pinxit.train.config import AverageConfig, OptimizerConfig

DEMO_STYLE = "Noto"  # the one style that drew every concept
SHIFT = 1.5  # of times towards noise at 128 pixels, whose tokens tell more of each other than those of 64


def demo() -> Recipe:
    """One style on eight backgrounds: what `make demo` trains in minutes on two cores.

    Nine tokens a picture first, then sixteen. The last stage, short and on pictures of every shape, is where the rate
    falls to zero and times move away from noise, from what to draw to how. It has no more tokens than the one before:
    so small a model learns a larger grid nearly anew (docs/log.md).
    """
    art = EmojiDataConfig(styles=(DEMO_STYLE,), pictures=9_000, sparse=0.0, wide=0.25)
    optimizer = OptimizerConfig(kind="muon", matrix_rate=1.5e-2, weight_decay=0.1, warmup=4_000, decay=0.0)
    text = StageConfig(
        teaches="text",
        data=art,
        images=150_000,
        resolution=64,
        batch=64,
        position_scale=4 / 3,
        optimizer=optimizer,
    )
    classes = {
        "teaches": "class",
        "data": art.model_copy(update={"pictures": 3_000}),
        "images": 12_000,
        "resolution": 48,
        "position_scale": 1.0,
    }
    falling = {
        "images": 40_000,
        "buckets": True,
        "shift": 0.5,
        "optimizer": optimizer.model_copy(update={"decay": 1.0}),
    }
    return Recipe(
        name="demo",
        network=TransformerConfig(
            depth=6, width=192, heads=3, channels=16, outputs=1, caption_width=384, position_base=4
        ),
        process=FlowConfig(time_mean=2.0, time_spread=1.5),  # words decide where noise is strong: docs/log.md
        stages={
            "pixels": text.model_copy(update=classes),
            "alignment": text,
            "aesthetics": text.model_copy(update=falling),
        },
        sampling=SamplingConfig(solver="euler", steps=15, guidance=3.0, guided_above=0.5, batch=100),
    )


def shipped() -> Recipe:
    """The demo's stages on all default styles and on one and two objects, at 128 pixels: what ships. Seven minutes of
    one H200; with --compute.compile where there is a compiler.
    """
    base = demo()
    data = EmojiDataConfig(pieces=2, pictures=96_000, sparse=0.05)
    pictures = {"pixels": 335_360, "alignment": 4_696_320, "aesthetics": 3_137_280}
    same = {
        "data": data,
        "resolution": 128,
        "buckets": False,
        "position_scale": 1.0,
        "shift": SHIFT,
        "batch": 256,
        "average": AverageConfig(memory=300_000),
    }
    stages = {}
    for name, stage in base.stages.items():
        warmup = 0 if name == "aesthetics" else 51_200
        optimizer = stage.optimizer.model_copy(update={"warmup": warmup})
        stages[name] = stage.model_copy(update={**same, "images": pictures[name], "optimizer": optimizer})
    network = base.network.model_copy(update={"width": 320, "heads": 5})
    sampling = base.sampling.model_copy(update={"steps": 25, "guided_above": 0.0})
    changes = {"name": "emoji", "network": network, "stages": stages, "sampling": sampling, "probe_every": 1_000_000}
    return base.model_copy(update=changes)


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
                resolution=128,
                shift=SHIFT,
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
