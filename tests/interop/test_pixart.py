"""The original layout: sizes and positions are read from the file, and every number comes back as it was."""

import re
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from pinxit.errors import CheckpointError
from pinxit.interop.pixart import NULL, PLACES, infer, read_pixart, write_pixart
from pinxit.interop.weights import read_tensors
from pinxit.models import layer
from pinxit.models.config import TransformerConfig
from pinxit.models.null import NullCondition
from pinxit.models.transformer import Transformer
from tests.interop.case import ALPHA, KINDS, TOLD, assert_same, network, original, save_pth
from tests.models.oracle import assert_near, normal
from tests.models.test_transformer import GOLDEN, golden_frequencies

HERE = Path("here.pth")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back_is_bit_exact(kind: str, dtype: torch.dtype, tmp_path: Path) -> None:
    published = {name: value.to(dtype) for name, value in original(network(KINDS[kind])).items()}
    found = read_tensors(save_pth(published, tmp_path / "model.pth"))
    weights = read_pixart(found, HERE, heads=2)
    assert weights.config == KINDS[kind]
    assert weights.null is not None and weights.null.kind == "fixed"
    assert_same(write_pixart(weights, weights.null, 16), published)


@pytest.mark.parametrize("name", ["alpha_256", "alpha_1024_conditions", "sigma_512", "sigma_2k_kv_compression"])
def test_published_weights_draw_what_the_published_network_draws(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer, "frequencies", golden_frequencies)
    with safe_open(GOLDEN / f"{name}.safetensors", "pt") as file:
        stored = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    published = {key.removeprefix("weight."): value for key, value in stored.items() if key.startswith("weight.")}
    weights = read_pixart(published, HERE, heads=2)
    made = Transformer(weights.config).double()
    made.load_state_dict(weights.tensors)
    latent, time, text, length, size, aspect = (
        stored[f"input.{key}"] for key in ("latent", "time", "text", "length", "size", "aspect")
    )
    told = (size, aspect[:, 0]) if weights.config.conditions else ()
    output = made(latent, time, text, torch.arange(10) < length[:, None], *told)
    assert_near(output, stored["output"], 1e-10)


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("names", [("state_dict", "state_dict_ema"), ("model", "ema")], ids=["PixArt", "DiT"])
def test_of_a_training_checkpoint_the_average_is_taken_or_the_weights(
    names: tuple[str, str], plain: bool, tmp_path: Path
) -> None:
    trained, average = (original(network(ALPHA, seed)) for seed in range(2))
    held = dict(zip(names, (trained, average), strict=True))
    torch.save({**held, "optimizer": {"step": 3}, "args": Namespace(epochs=3)}, tmp_path / "model.pth")
    assert_same(read_tensors(tmp_path / "model.pth", plain=plain), trained if plain else average)


def test_without_an_average_the_weights_are_taken(tmp_path: Path) -> None:
    plain = original(network(ALPHA))
    assert_same(read_tensors(save_pth(plain, tmp_path / "a.pth")), plain)
    for name, zipped in (("b.pt", True), ("c.pt", False)):  # the present format, and the one before it
        torch.save(plain, tmp_path / name, _use_new_zipfile_serialization=zipped)
        assert_same(read_tensors(tmp_path / name), plain)


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return print, ("run on reading",)


def test_a_pickle_that_would_run_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"state_dict": original(network(ALPHA)), "trap": Trap()}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="it holds more than tensors"):
        read_tensors(tmp_path / "a.pth")
    assert "run on reading" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.pth", b"no archive at all", "it is no file that torch saved"),
        ("a.pth", b"version https://git-lfs.github.com/spec/v1\n", "it is a pointer of Git LFS"),
        ("a.safetensors", b"\n<!DOCTYPE html>", "it is a web page"),
        ("a.safetensors", b"neither this", "no whole safetensors"),
        ("a.pth", None, "there is nothing there"),
    ],
)
def test_files_that_cannot_be_read_say_so(name: str, content: bytes | None, said: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=said):
        read_tensors(tmp_path / name)


@pytest.mark.parametrize("held", [{"state_dict": {"a": 1}}, {}, [torch.ones(1)]])
def test_a_file_without_tensors_is_refused(held: object, tmp_path: Path) -> None:
    torch.save(held, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="no dictionary of tensors"):
        read_tensors(tmp_path / "a.pth")


def without(tensors: dict[str, Tensor], *names: str) -> dict[str, Tensor]:
    return {name: value for name, value in tensors.items() if name not in names}


@pytest.mark.parametrize(
    ("resolution", "length", "base", "scale"),
    [(256, 120, 16, 1.0), (512, 120, 32, 1.0), (1024, 120, 64, 2.0), (256, 300, 16, 0.5), (2048, 300, 128, 4.0)],
)
def test_without_a_position_table_the_resolution_tells(resolution: int, length: int, base: int, scale: float) -> None:
    published = without(original(network(ALPHA), length), PLACES)
    with pytest.raises(CheckpointError, match="say it: pinxit convert --resolution"):
        infer(published, HERE, heads=2)
    for tensors in (
        published,
        without(published, NULL),
    ):  # Σ is known by its null states, or by the length that is said
        found = read_pixart(tensors, HERE, heads=2, resolution=resolution, length=length)
        assert (found.config.position_base, found.config.position_scale) == (base, scale)
        assert found.made == ("PixArt-Σ" if length == 300 else "PixArt-α")


def test_a_strange_position_table_is_refused() -> None:
    with pytest.raises(CheckpointError, match="none of the published tables"):
        infer(original(network(ALPHA)) | {PLACES: normal(0, 1, 16, 24)}, HERE, heads=2)


def test_heads_have_the_published_width_or_must_be_told() -> None:
    with pytest.raises(CheckpointError, match="say how many: pinxit convert --heads"):
        infer(original(network(ALPHA)), HERE)
    wide = TransformerConfig(depth=1, width=144, heads=2, caption_width=6, position_base=2)
    assert infer(original(network(wide)), HERE) == wide


def test_another_kind_of_file_is_named() -> None:
    with pytest.raises(
        CheckpointError,
        match=r"no x_embedder\.proj\.weight of 4, .* of 2 dimensions; it looks like a T5 text",
    ):
        infer({"encoder.block.0.layer.0.SelfAttention.q.weight": torch.ones(1)}, HERE)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"x_embedder.proj.weight": torch.ones(24, 4)}, "no x_embedder.proj.weight of 4 dimensions"),
        ({"x_embedder.proj.weight": torch.ones(24, 9, 2, 2)}, "no network has its sizes (outputs"),
        ({"final_layer.linear.weight": torch.ones(8, 24)}, "no network has its sizes (outputs"),
    ],
)
def test_sizes_that_no_network_has_are_refused(changes: dict[str, Tensor], said: str) -> None:
    with pytest.raises(CheckpointError, match=re.escape(said)):
        read_pixart(original(network(ALPHA)) | changes, HERE, heads=2)


def test_null_states_may_be_a_batch_of_one_and_places_coarse() -> None:
    published = original(network(ALPHA))
    other = published | {NULL: published[NULL][None], PLACES: published[PLACES].to(torch.float8_e4m3fn)}
    weights = read_pixart(other, HERE, heads=2)
    assert weights.config == ALPHA
    assert weights.null is not None and torch.equal(weights.null.states, published[NULL])


def test_the_weights_own_null_states_are_written_whole() -> None:
    weights = read_pixart(original(network(ALPHA)), HERE, heads=2)
    assert weights.null is not None
    assert torch.equal(write_pixart(weights, weights.null, 9)[NULL], weights.null.states)


def test_an_empty_texts_states_are_read_alike_under_any_caption_length() -> None:
    weights = read_pixart(original(network(ALPHA)), HERE, heads=2)
    written = write_pixart(weights, NullCondition("empty", normal(3, 1, 24).float()), 7)
    made = network(ALPHA)
    latent, time = normal(1, 2, 4, 8, 8).float(), torch.tensor([5.0, 500.0])
    said = [
        made(latent, time, written[NULL].expand(2, -1, -1), torch.arange(7).expand(2, 7) < count) for count in (1, 4, 7)
    ]
    for other in said[1:]:
        assert_near(other, said[0], 1e-5)


def test_comfyui_finds_the_keys_that_it_tells_pixart_by() -> None:
    """As its detection and its network have them: see docs/interop.md."""
    weights = read_pixart(original(network(TOLD)), HERE, heads=2)
    assert weights.null is not None
    written = write_pixart(weights, weights.null, 16)
    assert {"t_block.1.weight", "y_embedder.y_embedding", "pos_embed", "ar_embedder.mlp.0.weight"} <= written.keys()
    assert len(written["y_embedder.y_embedding"]) == 16
    assert written["pos_embed"].shape == (1, 4 * 4, 24)
