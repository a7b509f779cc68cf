"""PSNR and SSIM of each picture against its own truth: known values, plain versions, nothing mixed between pictures."""

import sys

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d

from pinxit.errors import MissingExtra
from pinxit.evaluate.fidelity import BATCH, batches, psnr, ssim


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)


def near(truth: np.ndarray, levels: int) -> np.ndarray:
    """The pictures with up to so many levels more or less in each pixel."""
    change = np.random.default_rng(1).integers(-levels, levels + 1, truth.shape)
    return np.clip(truth + change, 0, 255).astype(np.uint8)


def test_psnr_is_known_for_a_known_error() -> None:
    truth = np.zeros((3, 8, 6, 3), np.uint8)
    drawn = truth.copy()
    drawn[0] = 255  # as far as can be
    drawn[1] = 51  # a fifth of it
    assert psnr(truth, drawn).tolist() == [0, pytest.approx(20 * np.log10(5)), np.inf]


def test_psnr_is_that_of_torchmetrics() -> None:
    functional = pytest.importorskip("torchmetrics.functional.image")
    truth = noise(BATCH + 2, 12, 12)
    drawn = near(truth, 30)
    pictures = (torch.tensor(side).double() for side in (drawn, truth))
    expected = functional.peak_signal_noise_ratio(*pictures, data_range=255.0, dim=(1, 2, 3), reduction="none")
    assert psnr(truth, drawn) == pytest.approx(expected.numpy())


def plain_ssim(one: np.ndarray, other: np.ndarray) -> float:
    """Wang et al. 2004, eq. 13, with scipy's filters."""
    window = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def mean(picture: np.ndarray) -> np.ndarray:
        return correlate1d(correlate1d(picture, window, 0, mode="mirror"), window, 1, mode="mirror")

    x, y = one.astype(float), other.astype(float)
    c, c_ = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    variances = mean(x * x) - mean(x) ** 2 + mean(y * y) - mean(y) ** 2
    covariance = mean(x * y) - mean(x) * mean(y)
    found = (2 * mean(x) * mean(y) + c) * (2 * covariance + c_) / ((mean(x) ** 2 + mean(y) ** 2 + c) * (variances + c_))
    return float(found.mean())


def test_ssim_is_that_of_its_paper_picture_by_picture() -> None:
    pytest.importorskip("torchmetrics")
    truth = noise(BATCH + 2, 20, 14)
    drawn = near(truth, 60)
    expected = [plain_ssim(one, other) for one, other in zip(truth, drawn, strict=True)]
    assert ssim(truth, drawn) == pytest.approx(expected, abs=1e-5)


def test_ssim_is_one_for_the_truth_and_about_zero_for_another_picture() -> None:
    pytest.importorskip("torchmetrics")
    truth = np.concatenate([noise(3, 32, 32), np.full((1, 32, 32, 3), 200, np.uint8)])
    assert ssim(truth, truth) == pytest.approx(1, abs=1e-4)
    assert abs(ssim(noise(20, 32, 32), noise(20, 32, 32, seed=5)).mean()) < 0.05


def test_of_no_pictures_there_are_no_values() -> None:
    pytest.importorskip("torchmetrics")
    for measure in (psnr, ssim):
        assert measure(noise(0, 16, 16), noise(0, 16, 16)).shape == (0,)


def test_pictures_and_truths_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"pictures \(1, 8, 8, 3\) and truths \(2, 8, 8, 3\) are no pairs"):
        list(batches(noise(2, 8, 8), noise(2, 8, 8), noise(1, 8, 8)))  # by itself: tests check signatures before


def test_without_torchmetrics_the_command_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchmetrics", None)
    with pytest.raises(MissingExtra, match=r"needs torchmetrics, .*-m pip install 'torchmetrics>=1\.9,<2'"):
        ssim(noise(1, 8, 8), noise(1, 8, 8))
