"""Whole guided samples against diffusers' network and scheduler, and single passes at a middle size in float32."""

from typing import Any

import pytest
import torch
from torch import Tensor

from pinxit.diffusion.config import IDDPMConfig
from pinxit.diffusion.guidance import guided
from pinxit.diffusion.iddpm import IDDPM
from pinxit.diffusion.solver.dpm import dpm
from pinxit.generate.sample import denoiser
from pinxit.models.config import TransformerConfig
from pinxit.models.transformer import Transformer

from .oracle import SMALL, assert_near, enliven, normal, to_diffusers

TOLD = SMALL.model_copy(update={"conditions": True})
GUIDANCE, STEPS = 4.5, 20
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # the other's own


def pair(config: TransformerConfig) -> tuple[Transformer, Any]:
    """Ours and diffusers' network with the same weights, in float64."""
    from diffusers import PixArtTransformer2DModel

    ours = Transformer(config)
    enliven(ours, 0)
    theirs = PixArtTransformer2DModel(
        num_attention_heads=config.heads,
        attention_head_dim=config.width // config.heads,
        in_channels=config.channels,
        out_channels=config.channels * config.outputs,
        num_layers=config.depth,
        cross_attention_dim=config.width,
        sample_size=config.position_base * config.patch,
        caption_channels=config.caption_width,
        interpolation_scale=config.position_scale,
        use_additional_conditions=config.conditions,
    ).double()
    theirs.load_state_dict(to_diffusers(ours.state_dict()))
    return ours.eval(), theirs.eval()


def conditions(config: TransformerConfig, batch: int) -> tuple[Tensor, Tensor]:
    size = torch.tensor([[1024.0, 768.0]], dtype=torch.float64).expand(batch, -1)
    return size, torch.full((batch,), 1024 / 768, dtype=torch.float64)


@pytest.mark.parametrize("real", [[10], [3], [1], [10, 3, 1, 7, 2]], ids=["full", "30 %", "one token", "five"])
@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("base", [SMALL, TOLD], ids=["plain", "conditions"])
@torch.no_grad()
def test_twenty_guided_steps_are_diffusers(base: TransformerConfig, scale: float, real: list[int]) -> None:
    from diffusers import DPMSolverMultistepScheduler

    config, batch = base.model_copy(update={"position_scale": scale}), len(real)
    ours, theirs = pair(config)
    start = normal(1, batch, 4, 6, 10)
    caption, null = normal(2, batch, 10, 20), normal(3, 1, 10, 20).expand(batch, -1, -1)
    keep, null_keep = torch.arange(10) < torch.tensor(real)[:, None], torch.arange(10) < 1
    null_keep = null_keep.expand(batch, -1)
    size, aspect = conditions(config, batch)
    known = {"size": size, "aspect": aspect} if config.conditions else {}

    process = IDDPM(IDDPMConfig())
    readings = [ours.read(caption, keep), ours.read(null[:, :1], null_keep[:, :1])]
    levels = process.levels(STEPS)
    both = denoiser(lambda x, time, heard: ours.denoise_each(x, time, readings[:heard], **known), process)
    found = dpm(guided(both, GUIDANCE), start, levels)

    scheduler = DPMSolverMultistepScheduler()
    scheduler.set_timesteps(STEPS)
    assert scheduler.timesteps.tolist() == [level.time for level in levels[:-1]]
    scheduler.sigmas = torch.tensor([level.sigma / level.alpha for level in levels], dtype=torch.float64)  # not float32
    x_t = start
    text, mask = torch.cat([null, caption]), torch.cat([null_keep, keep]).double()
    added = {
        "resolution": size.repeat(2, 1) if known else None, "aspect_ratio": aspect.repeat(2)[:, None] if known else None
    }  # fmt: skip
    for time in scheduler.timesteps:
        said = theirs(
            x_t.repeat(2, 1, 1, 1), text, time.expand(2 * batch), added_cond_kwargs=added,
            encoder_attention_mask=mask, return_dict=False,
        )[0].chunk(2, 1)[0]  # fmt: skip
        without, told_so = said.chunk(2)
        x_t = scheduler.step(without + GUIDANCE * (told_so - without), time, x_t, return_dict=False)[0]
    assert x_t.std() > 0.1
    assert_near(found, x_t, 1e-6)


@pytest.mark.parametrize("real", [[40], [40, 12, 1, 25, 3]], ids=["one", "five"])
@pytest.mark.parametrize(("scale", "told"), [(0.5, False), (1.0, False), (2.0, True), (4.0, True)])
@torch.no_grad()
def test_in_float32_at_a_middle_size_one_pass_is_diffusers(scale: float, told: bool, real: list[int]) -> None:
    config = TransformerConfig(
        depth=6, width=192, heads=4, caption_width=96, position_base=8, position_scale=scale, conditions=told
    )
    batch = len(real)
    ours, theirs = (network.float() for network in pair(config))
    for parameter in (*ours.parameters(), *theirs.parameters()):
        parameter.mul_(0.4)  # so large a network is calm enough for single precision
    latent, time = normal(1, batch, 4, 16, 20).float(), torch.linspace(0, 999, batch)
    caption, keep = normal(2, batch, 40, 96).float(), torch.arange(40) < torch.tensor(real)[:, None]
    size, aspect = (known.float() for known in conditions(config, batch))
    found = ours(latent, time, caption, keep, *((size, aspect) if told else ()))
    added = {"resolution": size if told else None, "aspect_ratio": aspect[:, None] if told else None}
    expected = theirs(
        latent, caption, time, added_cond_kwargs=added,
        encoder_attention_mask=keep.float(), return_dict=False,
    )[0]  # fmt: skip
    assert_near(found, expected, 1e-5)
