"""Guidance: at scale 1 it is not there, nor where there is little noise; guiding the clean latent is guiding eps."""

import pytest
import torch
from torch.testing import assert_close

from pinxit.diffusion.config import IDDPMConfig
from pinxit.diffusion.guidance import guided
from pinxit.diffusion.iddpm import IDDPM
from pinxit.diffusion.process import Latent, Level, Prediction
from pinxit.diffusion.solver.dpm import dpm

from .solver.case import normal, smooth


def null(x_t: Latent, level: Level) -> Prediction:
    return Prediction(0.2 * x_t, torch.zeros_like(x_t))


def test_at_scale_one_nothing_changes_and_no_null_denoiser_is_needed() -> None:
    levels = IDDPM(IDDPMConfig()).levels(5)
    alone = guided(lambda x, at, heard: [smooth(x, at)], 1.0)
    assert torch.equal(dpm(alone, normal(0), levels), dpm(smooth, normal(0), levels))
    both = guided(lambda x, at, heard: [smooth(x, at), null(x, at)][:heard], 1.0)
    assert torch.equal(dpm(both, normal(0), levels), dpm(smooth, normal(0), levels))


@pytest.mark.parametrize("scale", [0.0, 1.5, 4.5])
def test_guiding_the_clean_latent_is_guiding_eps(scale: float) -> None:
    process, x_t = IDDPM(IDDPMConfig()), normal(0)
    level = process.levels(4)[1]
    asked, unasked = torch.cat([normal(1), normal(2)], 1), torch.cat([normal(3), normal(4)], 1)
    denoise = guided(lambda x, at, heard: [process.predict(said, x, at) for said in (asked, unasked)][:heard], scale)
    eps = normal(3) + scale * (normal(1) - normal(3))
    expected = process.predict(torch.cat([eps, normal(2)], 1), x_t, level)
    found = denoise(x_t, level)
    assert_close(found.clean, expected.clean)
    assert found.log_variance is not None and expected.log_variance is not None
    assert torch.equal(found.log_variance, expected.log_variance)  # the conditional one's


def test_at_scale_zero_the_null_denoiser_speaks() -> None:
    level = Level(0.6, 0.8, 500.0)
    both = guided(lambda x, at, heard: [smooth(x, at), null(x, at)][:heard], 0.0)
    assert torch.equal(both(normal(0), level).clean, null(normal(0), level).clean)


def test_where_there_is_little_noise_the_conditional_one_alone_is_asked() -> None:
    asked: list[tuple[float, int]] = []

    def each(x_t: Latent, level: Level, heard: int) -> list[Prediction]:
        asked.append((level.sigma, heard))
        return [smooth(x_t, level), null(x_t, level)][:heard]

    levels = IDDPM(IDDPMConfig()).levels(8)
    found = dpm(guided(each, 3.0, above=0.5), normal(0), levels)
    assert {heard for sigma, heard in asked if sigma > 0.5} == {2}
    assert {heard for sigma, heard in asked if sigma <= 0.5} == {1}
    assert not torch.equal(found, dpm(guided(each, 3.0), normal(0), levels))
