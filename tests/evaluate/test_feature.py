"""Features are the packaged network's own, whatever the batch; what is missing is named with its command."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from pinxit.errors import CheckpointError, MissingExtra
from pinxit.evaluate import feature
from pinxit.evaluate.feature import BATCH, CODE, COMMAND, PURPOSE, SHA256, WEIGHTS, Lite0, core_by_core, thumbnails
from pinxit.models.package import find_package


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def lite0() -> Lite0:
    pytest.importorskip(CODE)
    pytest.importorskip(WEIGHTS)
    return Lite0()


def test_features_are_those_of_the_package_before_its_norms_were_folded(lite0: Lite0) -> None:
    network = import_module(CODE).EfficientNet.from_name("efficientnet-lite0")
    file = next(find_package(WEIGHTS, PURPOSE, COMMAND).glob("models/*.pth"))
    network.load_state_dict(torch.load(file, weights_only=True))
    pictures = noise(2, 128, 128)
    with torch.no_grad():
        scaled = (torch.tensor(pictures).permute(0, 3, 1, 2).float() - 127) / 128
        expected = network.eval().extract_features(scaled).mean((2, 3))
    assert_close(lite0.features(pictures), expected, rtol=1e-4, atol=1e-4)
    assert lite0.identity == SHA256


def test_a_picture_has_the_same_features_in_any_batch(lite0: Lite0) -> None:
    pictures = noise(BATCH + 1, 32, 48)
    together = lite0.features(pictures)
    assert together.shape == (BATCH + 1, 1280)
    assert_close(together[-1:], lite0.features(pictures[-1:]), rtol=1e-4, atol=1e-4)
    assert lite0.features(pictures[:0]).shape == (0, 1280)


@pytest.mark.parametrize("many", [1, 5])
def test_batches_come_in_their_order_and_leave_the_threads_as_they_were(many: int) -> None:
    cores, threads = torch.get_num_threads(), []
    torch.set_num_threads(2)

    def mean(batch: np.ndarray) -> torch.Tensor:
        threads.append(torch.get_num_threads())
        return torch.tensor([[batch.mean()]])

    def fail(_: np.ndarray) -> torch.Tensor:
        raise CheckpointError(Path("file"), "it cannot be read", "copy it again")

    try:
        batches = list(noise(many, 2, 4, 4))
        assert_close(torch.cat(core_by_core(mean, batches))[:, 0], torch.tensor([batch.mean() for batch in batches]))
        assert set(threads) == ({2} if many == 1 else {1})
        with pytest.raises(CheckpointError):
            core_by_core(fail, batches)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(cores)


def test_directions_have_length_one(lite0: Lite0) -> None:
    assert_close(lite0.directions(noise(3, 20, 20)).norm(dim=1), torch.ones(3))


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature, "CODE", "no_such_package")
    with pytest.raises(MissingExtra, match=r"no-such-package.*pip install --no-deps efficientnet-lite-pytorch"):
        Lite0()


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "models" / "efficientnet-lite0-57934424.pth"
    file.parent.mkdir()
    file.write_bytes(b"something else")
    monkeypatch.setattr(feature, "find_package", lambda *_: tmp_path)
    with pytest.raises(CheckpointError, match=f"not {SHA256}"):
        Lite0()


@pytest.mark.parametrize("side", [16, 32, 128])
def test_thumbnails_are_means_of_equal_blocks(side: int) -> None:
    pictures = noise(2, side, side)
    block = side // 16
    means = pictures.reshape(2, 16, block, 16, block, 3).mean((2, 4)).transpose(0, 3, 1, 2).reshape(2, 768) / 255
    assert_close(thumbnails(pictures), torch.tensor(means, dtype=torch.float32))
