"""What knowing nothing of pictures loses: no linear guess is better, and its loss is the one that theory tells."""

import pytest
import torch

from pinxit.diffusion.config import FlowConfig, IDDPMConfig
from pinxit.diffusion.flow import Flow
from pinxit.diffusion.iddpm import IDDPM
from pinxit.diffusion.process import Process


def losses(process: Process, time: float, factor: float) -> float:
    """Of normal latents, with the blind output times a factor."""
    torch.manual_seed(0)
    clean, eps = (torch.randn(64, 4, 16, 16, dtype=torch.float64) for _ in range(2))
    times = torch.full((64,), time, dtype=torch.float64)
    output = process.blind(process.add_noise(clean, eps, times), times)
    said = output[:, :4] * factor
    if process.outputs == 2:
        return float((said - eps).square().mean())
    return float(process.loss(said, clean, eps, times).mean())


@pytest.mark.parametrize("time", [50.0, 300.0, 700.0, 990.0])
@pytest.mark.parametrize("process", [Flow(FlowConfig()), IDDPM(IDDPMConfig())], ids=["flow", "iddpm"])
def test_the_blind_output_is_the_best_linear_one(process: Process, time: float) -> None:
    best = losses(process, time, 1.0)
    assert all(losses(process, time, factor) > best for factor in (0.9, 1.1))
    if isinstance(process, Flow):
        t = time / 1000
        assert best == pytest.approx(1 / (t**2 + (1 - t) ** 2), rel=0.02)
    else:
        assert isinstance(process, IDDPM)
        assert best == pytest.approx(process.bars[int(time)], rel=0.02)


def test_its_variance_is_the_one_that_fits_such_latents_best() -> None:
    process, times = IDDPM(IDDPMConfig()), torch.full((64,), 300.0, dtype=torch.float64)
    torch.manual_seed(1)
    clean, eps = (torch.randn(64, 4, 16, 16, dtype=torch.float64) for _ in range(2))
    output = process.blind(process.add_noise(clean, eps, times), times)
    bounds = [
        process.bound(torch.cat([output[:, :4], output[:, 4:] * each], 1), clean, eps, times).mean()
        for each in (0.0, 1.0)
    ]
    assert bounds[1] < bounds[0]
