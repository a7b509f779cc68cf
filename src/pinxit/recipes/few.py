"""Few steps: a student of the shipped model, or of any other, that draws in one to eight steps without guidance."""

from pinxit.distill.config import ConsistencyConfig
from pinxit.generate.config import SamplingConfig
from pinxit.recipes.emoji import shipped
from pinxit.recipes.recipe import Recipe
from pinxit.train.config import AverageConfig, OptimizerConfig


def few() -> Recipe:
    """Latent consistency distillation of the shipped model: one stage, four passes a picture in place of fifty.

    PixArt-δ has a rate of 2e-5, a clip of 0.01; so small a network bears more.
    """
    base = shipped()
    alignment = base.stages["alignment"]
    batch = 32
    stage = alignment.model_copy(
        update={
            "teaches": "steps",
            "data": alignment.data.model_copy(update={"pictures": 16_000}),
            "images": 48_000,
            "batch": batch,
            "dropout": 0.0,
            "optimizer": OptimizerConfig(learning_rate=2e-4, weight_decay=0.0, warmup=1_600, decay=0.5),
            "average": AverageConfig(memory=20 * batch, share=1.0),  # 0.95 a step
            "consistency": ConsistencyConfig(guidance=base.sampling.guidance),
        }
    )
    sampling = SamplingConfig(solver="consistency", steps=4, guidance=1.0, batch=100)
    changes = {"name": "few", "start": "shipped", "stages": {"few": stage}, "sampling": sampling}
    return base.model_copy(update={**changes, "probe_every": 8_000})
