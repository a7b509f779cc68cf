"""Weights from form to form: bit for bit, and drawing the same picture as diffusers' own pipelines."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from pinxit.data.kind import Pixels
from pinxit.errors import CheckpointError, ConfigError, MissingExtra
from pinxit.generate.card import read_card
from pinxit.generate.config import SamplingConfig, SourceConfig
from pinxit.generate.convert import WRITERS, convert
from pinxit.generate.load import hash_weights, load_pipeline
from pinxit.generate.opened import open_source
from pinxit.generate.pipeline import Pipeline
from pinxit.generate.stored import build_network, read_model
from pinxit.interop.pixart import NULL
from pinxit.interop.weights import read_tensors
from pinxit.models.config import Memory
from pinxit.models.null import NullCondition
from pinxit.rng import Draws
from tests.interop.case import ALPHA, KINDS, SIGMA, SQUEEZED, TOLD, assert_same, network, original, save_pth
from tests.interop.test_dit import diffusers as dit_diffusers
from tests.interop.test_dit import make as make_dit
from tests.interop.test_dit import original as dit_original
from tests.models.oracle import normal
from tests.models.tiny import write_kl, write_t5

SETTINGS = SamplingConfig(solver="dpm", steps=20, guidance=4.5)
PROMPT = "A red fox beside the house"


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> SourceConfig:
    folder = tmp_path_factory.mktemp("encoders")
    write_t5(folder / "t5")
    write_kl(folder / "vae", halvings=3, scaling_factor=0.18215)
    return SourceConfig(autoencoder=str(folder / "vae"), text=str(folder / "t5"), heads=2)


def to(source: Path, target: Path, form: str, settings: SourceConfig) -> list[str]:
    return list(convert(source, target, form, settings))  # type: ignore[arg-type]


def drawn(pipeline: Pipeline, seed: int = 3, size: tuple[int, int] = (64, 64)) -> Pixels:
    return next(pipeline.draw([PROMPT], [seed], SETTINGS, size)).picture


def drawn_by_diffusers(folder: Path, name: str, length: int, seed: int = 3, size: tuple[int, int] = (64, 64)) -> Pixels:
    """The picture of diffusers' own pipeline from the same noise; its null states by the line of docs/interop.md."""
    import diffusers

    pipe = getattr(diffusers, name).from_pretrained(folder, low_cpu_mem_usage=False)
    pipe.set_progress_bar_config(disable=True)
    start: dict[str, Any] = {
        "latents": Draws(0, (seed,)).normal("start", (4, size[0] // 8, size[1] // 8)), "height": size[0],
        "width": size[1], "output_type": "np", "use_resolution_binning": False, "num_inference_steps": 20,
        "guidance_scale": 4.5,
    }  # fmt: skip
    told: dict[str, Any] = {"prompt": PROMPT, "max_sequence_length": length}
    if (folder / "null.safetensors").exists():
        null = load_file(folder / "null.safetensors")
        embeds, mask, _, _ = pipe.encode_prompt(
            PROMPT, do_classifier_free_guidance=False, clean_caption=True, max_sequence_length=length
        )
        told = {"prompt_embeds": embeds, "prompt_attention_mask": mask, "negative_prompt": None}
        told |= {"negative_prompt_embeds": null["negative_prompt_embeds"]}
        told |= {"negative_prompt_attention_mask": null.get("negative_prompt_attention_mask", mask)}
    picture = pipe(**told, **start).images[0]
    return np.round(picture * 255).astype(np.uint8)


def furthest(one: Pixels, other: Pixels) -> int:
    return int(np.abs(one.astype(int) - other.astype(int)).max())


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # the other's own
@pytest.mark.parametrize(
    ("kind", "length", "has_null"),
    [("alpha", 16, False), ("alpha", 16, True), ("sigma", 300, False), ("sigma", 300, True)],
)
def test_an_exported_pipeline_draws_in_diffusers_what_it_draws_here(
    kind: str, length: int, has_null: bool, encoders: SourceConfig, tmp_path: Path
) -> None:
    tensors = original(network(KINDS[kind]), length)
    if not has_null:
        del tensors[NULL]
    file, settings = save_pth(tensors, tmp_path / "a.pth"), encoders.model_copy(update={"length": length})
    to(file, tmp_path / "ours.safetensors", "pinxit", settings)
    to(tmp_path / "ours.safetensors", tmp_path / "theirs", "diffusers", SourceConfig())
    assert (tmp_path / "theirs" / "null.safetensors").exists() == has_null
    ours = load_pipeline(tmp_path / "ours.safetensors")
    assert ours.null.kind == ("fixed" if has_null else "empty")
    picture = drawn(ours)
    assert len(np.unique(picture)) > 20
    assert furthest(picture, drawn_by_diffusers(tmp_path / "theirs", f"PixArt{kind.title()}Pipeline", length)) <= 1
    if not has_null:
        assert furthest(picture, drawn(load_pipeline(tmp_path / "theirs"))) <= 1


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # the other's own
def test_a_network_of_1024_pixels_is_told_sizes_by_diffusers_pipeline_as_here(
    encoders: SourceConfig, tmp_path: Path
) -> None:
    config, size = TOLD.model_copy(update={"position_base": 64}), (96, 160)
    tensors = original(network(config))
    del tensors[NULL]
    file, settings = save_pth(tensors, tmp_path / "a.pth"), encoders.model_copy(update={"length": 16})
    to(file, tmp_path / "ours.safetensors", "pinxit", settings)
    to(tmp_path / "ours.safetensors", tmp_path / "theirs", "diffusers", SourceConfig())
    picture = drawn(load_pipeline(tmp_path / "ours.safetensors"), size=size)
    assert picture.shape == (*size, 3)
    theirs = drawn_by_diffusers(tmp_path / "theirs", "PixArtAlphaPipeline", 16, size=size)
    assert furthest(picture, theirs) <= 1
    assert furthest(picture, drawn(load_pipeline(tmp_path / "theirs"), size=size)) <= 1


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # the other's own
def test_learned_null_states_go_into_diffusers_pipeline_with_a_mask_of_their_own(
    encoders: SourceConfig, tmp_path: Path
) -> None:
    file, settings = save_pth(original(network(ALPHA)), tmp_path / "a.pth"), encoders.model_copy(update={"length": 16})
    found = open_source(file, settings)
    learned = NullCondition("learned", normal(8, 5, 24).float())
    assert found.card is not None
    card = found.card.model_copy(update={"null": "learned"})
    told = replace(found, weights=replace(found.weights, null=learned), card=card)
    list(WRITERS["pinxit"](told, tmp_path / "ours.safetensors"))
    to(tmp_path / "ours.safetensors", tmp_path / "theirs", "diffusers", SourceConfig())
    ours = load_pipeline(tmp_path / "ours.safetensors")
    assert (ours.null.kind, len(ours.null.states)) == ("learned", 5)
    picture = drawn(ours)
    assert furthest(picture, drawn_by_diffusers(tmp_path / "theirs", "PixArtAlphaPipeline", 16)) <= 1
    to(file, tmp_path / "fixed.safetensors", "pinxit", settings)
    assert furthest(picture, drawn(load_pipeline(tmp_path / "fixed.safetensors"))) > 1


@pytest.mark.parametrize("kind", KINDS)
def test_from_original_over_pinxit_to_original_every_number_stays(
    kind: str, encoders: SourceConfig, tmp_path: Path
) -> None:
    published = {name: value.half() for name, value in original(network(KINDS[kind])).items()}
    to(save_pth(published, tmp_path / "a.pth"), tmp_path / "b.safetensors", "pinxit", encoders)
    card = read_card(tmp_path / "b.safetensors")
    assert (card.network, card.null, card.resolution, card.text.length) == (KINDS[kind], "fixed", 64, 16)
    for suffix in ("safetensors", "pth"):
        to(tmp_path / "b.safetensors", tmp_path / f"c.{suffix}", "pixart", SourceConfig())
        assert_same(read_tensors(tmp_path / f"c.{suffix}"), published)


def test_from_original_over_diffusers_to_original_the_weights_stay(encoders: SourceConfig, tmp_path: Path) -> None:
    published = original(network(TOLD))
    said = to(save_pth(published, tmp_path / "a.pth"), tmp_path / "b", "diffusers", SourceConfig(heads=2))
    assert any("the network alone" in line for line in said)
    assert any("networks of 1024 pixels alone" in line for line in said)
    to(tmp_path / "b", tmp_path / "c.pth", "pixart", SourceConfig())
    assert_same(read_tensors(tmp_path / "c.pth"), published)
    (tmp_path / "b" / "null.safetensors").unlink()
    said = to(tmp_path / "b", tmp_path / "d.pth", "pixart", SourceConfig())
    assert any("without null states" in line for line in said)
    assert_same(read_tensors(tmp_path / "d.pth"), {name: v for name, v in published.items() if name != NULL})


def test_null_states_are_written_beside_a_folder(tmp_path: Path) -> None:
    published = original(network(ALPHA))
    said = to(save_pth(published, tmp_path / "a.pth"), tmp_path / "b", "diffusers", SourceConfig(heads=2))
    assert any("negative_prompt_embeds" in line for line in said)
    assert torch.equal(load_file(tmp_path / "b" / "null.safetensors")["negative_prompt_embeds"][0], published[NULL])


def test_a_model_of_pinxit_keeps_its_card(encoders: SourceConfig, tmp_path: Path) -> None:
    to(save_pth(original(network(ALPHA)), tmp_path / "a.pth"), tmp_path / "b.safetensors", "pinxit", encoders)
    to(tmp_path / "b.safetensors", tmp_path / "c.safetensors", "pinxit", SourceConfig())
    assert (tmp_path / "b.safetensors").read_bytes() == (tmp_path / "c.safetensors").read_bytes()


@pytest.mark.parametrize(("memory", "most"), [("offload", 1), ("8bit", 8), ("4bit", 48)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_with_little_memory_a_pipeline_draws_nearly_the_same(
    encoders: SourceConfig, tmp_path: Path, memory: Memory, most: int, dtype: torch.dtype
) -> None:
    if memory != "offload":
        pytest.importorskip("torchao")
    tensors = {name: tensor.to(dtype) for name, tensor in original(network(ALPHA)).items()}
    file = save_pth(tensors, tmp_path / "a.pth")
    whole, little = load_pipeline(file, encoders), load_pipeline(file, encoders, memory)
    assert furthest(drawn(whole), drawn(little)) <= most
    narrow = [type(p) is not nn.Parameter for p in little.network.parameters() if p.ndim == 2]
    assert any(narrow) == (memory != "offload")


def test_only_layers_of_blocks_are_in_few_bits() -> None:
    pytest.importorskip("torchao")
    made = network(ALPHA)
    built = build_network(ALPHA, made.state_dict(), bits=8)
    for name, part in built.named_modules():
        if isinstance(part, nn.Linear):
            assert (type(part.weight) is not nn.Parameter) == name.startswith("blocks.")


def test_without_torchao_few_bits_are_refused_before_anything_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "torchao", None)
    with pytest.raises(MissingExtra, match="pip install 'torchao"):
        load_pipeline(tmp_path / "nowhere.pth", memory="8bit")


def test_without_encoders_no_model_of_pinxit_is_made(tmp_path: Path) -> None:
    file = save_pth(original(network(ALPHA)), tmp_path / "a.pth")
    with pytest.raises(ConfigError, match="say where they are: --autoencoder FOLDER --text FOLDER"):
        to(file, tmp_path / "b.safetensors", "pinxit", SourceConfig(heads=2))
    with pytest.raises(ConfigError, match="say where they are"):
        load_pipeline(file, SourceConfig(heads=2))


def test_encoders_that_the_network_cannot_read_are_refused(encoders: SourceConfig, tmp_path: Path) -> None:
    file = save_pth(original(network(ALPHA.model_copy(update={"caption_width": 20}))), tmp_path / "a.pth")
    with pytest.raises(ConfigError, match="t5': its states are 24 wide, and the network reads 20"):
        to(file, tmp_path / "b.safetensors", "pinxit", encoders)


def test_a_text_encoder_alone_gives_the_null_states(encoders: SourceConfig, tmp_path: Path) -> None:
    tensors = original(network(ALPHA))
    del tensors[NULL]
    file = save_pth(tensors, tmp_path / "a.pth")
    to(file, tmp_path / "b.pth", "pixart", SourceConfig(heads=2, text=encoders.text, length=7))
    assert read_tensors(tmp_path / "b.pth")[NULL].shape == (7, 24)
    with pytest.raises(ConfigError, match="its states are 24 wide"):
        bad = save_pth(original(network(ALPHA.model_copy(update={"caption_width": 20}))), tmp_path / "c.pth")
        to(bad, tmp_path / "d.pth", "pixart", SourceConfig(heads=2, text=encoders.text))


def test_more_tokens_than_null_states_are_refused(encoders: SourceConfig, tmp_path: Path) -> None:
    file = save_pth(original(network(ALPHA)), tmp_path / "a.pth")
    with pytest.raises(ConfigError, match=r"length = 17: the weights have null states for 16 tokens; say at most 16"):
        to(file, tmp_path / "b.safetensors", "pinxit", encoders.model_copy(update={"length": 17}))


@pytest.mark.parametrize("form", ["pinxit", "diffusers", "pixart"])
def test_other_encoders_than_the_cards_are_refused_in_every_form(
    form: str, encoders: SourceConfig, tmp_path: Path
) -> None:
    to(save_pth(original(network(ALPHA)), tmp_path / "a.pth"), tmp_path / "b.safetensors", "pinxit", encoders)
    assert encoders.text is not None
    shutil.copytree(encoders.text, tmp_path / "other")
    weights = load_file(tmp_path / "other" / "model.safetensors")
    save_file({k: 2 * v for k, v in weights.items()}, tmp_path / "other" / "model.safetensors", {"format": "pt"})
    target = tmp_path / ("c" if form == "diffusers" else "c.safetensors")
    with pytest.raises(CheckpointError, match="trained with the text encoder"):
        to(tmp_path / "b.safetensors", target, form, SourceConfig(text=str(tmp_path / "other")))
    assert not target.exists()


def test_encoders_that_have_moved_are_bound_anew(encoders: SourceConfig, tmp_path: Path) -> None:
    to(save_pth(original(network(ALPHA)), tmp_path / "a.pth"), tmp_path / "b.safetensors", "pinxit", encoders)
    for name, place in (("vae", encoders.autoencoder), ("t5", encoders.text)):
        assert place is not None
        shutil.copytree(place, tmp_path / name)
    moved = SourceConfig(autoencoder=str(tmp_path / "vae"), text=str(tmp_path / "t5"))
    to(tmp_path / "b.safetensors", tmp_path / "c.safetensors", "pinxit", moved)
    before, after = (read_card(tmp_path / f"{name}.safetensors") for name in "bc")
    assert after == before.model_copy(update={"encoders": after.encoders})
    assert after.encoders.text == before.encoders.text.model_copy(update={"folder": str(tmp_path / "t5")})
    assert after.encoders.autoencoder.folder == str(tmp_path / "vae")  # type: ignore[union-attr]


def test_the_weights_themselves_or_their_average_are_converted(tmp_path: Path) -> None:
    trained, average = (original(network(ALPHA, seed)) for seed in range(2))
    file = save_pth(trained, tmp_path / "a.pth", state_dict_ema=average)
    for name, plain, expected in (("b", False, average), ("c", True, trained)):
        to(file, tmp_path / f"{name}.pth", "pixart", SourceConfig(heads=2, plain=plain))
        assert_same(read_tensors(tmp_path / f"{name}.pth"), expected)


def test_what_it_is_is_said_and_written_in_the_card(encoders: SourceConfig, tmp_path: Path) -> None:
    file = save_pth(original(network(SIGMA), 300), tmp_path / "a.pth")
    said = to(file, tmp_path / "b.safetensors", "pinxit", encoders)
    assert "PixArt-Σ, 2 blocks of width 24 with 2 heads, captions of 300 tokens" in said[0]
    card = read_card(tmp_path / "b.safetensors")
    assert (card.name, card.data, card.text.length) == ("a", "PixArt-Σ", 300)
    assert [licence.name for licence in card.licences] == ["weights a.pth"]


def test_a_file_of_comfyui_is_read(tmp_path: Path) -> None:
    published = original(network(ALPHA))
    extra = {"vae.decoder.conv_in.weight": torch.ones(1)}
    save_file({f"model.diffusion_model.{k}": v for k, v in published.items()} | extra, tmp_path / "a.safetensors")
    to(tmp_path / "a.safetensors", tmp_path / "b.pth", "pixart", SourceConfig(heads=2))
    assert_same(read_tensors(tmp_path / "b.pth"), published)


def test_a_file_of_comfyui_with_a_key_of_nobody_is_refused(tmp_path: Path) -> None:
    prefixed = {f"model.diffusion_model.{k}": v for k, v in original(network(ALPHA)).items()}
    save_file(prefixed | {"ema_decay": torch.ones(1)}, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="left over: ema_decay"):
        to(tmp_path / "a.safetensors", tmp_path / "b.pth", "pixart", SourceConfig(heads=2))


@pytest.mark.parametrize("layout", [dit_original, dit_diffusers])
def test_a_class_conditional_dit_becomes_a_model_that_reads_captions(
    layout: Any, encoders: SourceConfig, tmp_path: Path
) -> None:
    tensors = layout(make_dit())
    settings = encoders.model_copy(update={"caption_width": 24, "conditions": True, "length": 20})
    if layout is dit_original:
        torch.save(tensors, source := tmp_path / "dit.pt")
    else:
        source = tmp_path / "dit"
        source.mkdir()
        told = {"norm_type": "ada_norm_zero", "num_attention_heads": 2, "sample_size": 8}
        (source / "config.json").write_text(json.dumps(told))
        save_file({k: v.clone() for k, v in tensors.items()}, source / "diffusion_pytorch_model.safetensors")
    said = to(source, tmp_path / "b.safetensors", "pinxit", settings)
    assert "a class-conditional DiT, re-parameterised" in said[0]
    card = read_card(tmp_path / "b.safetensors")
    assert (card.network, card.text.length, card.null) == (TOLD.model_copy(update={"position_scale": 1.0}), 20, "empty")


def test_a_network_without_a_variance_is_refused(tmp_path: Path) -> None:
    file = save_pth(original(network(ALPHA.model_copy(update={"outputs": 1}))), tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="it gives 1 times its channels"):
        to(file, tmp_path / "b.pth", "pixart", SourceConfig(heads=2))


def test_a_conversion_that_fails_leaves_nothing(encoders: SourceConfig, tmp_path: Path) -> None:
    to(save_pth(original(network(SQUEEZED)), tmp_path / "a.pth"), tmp_path / "b.safetensors", "pinxit", encoders)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(CheckpointError, match="no compressed keys and values"):
        to(tmp_path / "b.safetensors", tmp_path / "c", "diffusers", SourceConfig())
    assert sorted(tmp_path.iterdir()) == before


def test_weights_are_known_by_all_their_files(tmp_path: Path) -> None:
    file = save_pth(original(network(ALPHA)), tmp_path / "a.pth")
    for name in ("b", "c"):
        to(file, tmp_path / name, "diffusers", SourceConfig(heads=2))
    to(save_pth(original(network(ALPHA, 1)), tmp_path / "d.pth"), tmp_path / "d", "diffusers", SourceConfig(heads=2))
    first, same, other = (hash_weights(tmp_path / name) for name in "bcd")
    assert first == same != other
    assert len(hash_weights(file)) == 64 and hash_weights(file) != first


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    file = save_pth(original(network(ALPHA)), tmp_path / "a.pth")
    for there in (file, tmp_path):
        with pytest.raises(ConfigError, match="something is there"):
            to(file, there, "pixart", SourceConfig(heads=2))


def test_the_original_layout_is_a_file_of_known_suffix(tmp_path: Path) -> None:
    file = save_pth(original(network(ALPHA)), tmp_path / "a.pth")
    with pytest.raises(ConfigError, match=r"end it in \.safetensors or \.pth"):
        to(file, tmp_path / "b", "pixart", SourceConfig(heads=2))
    with pytest.raises(ConfigError, match=r"pinxit is one file; end it in \.safetensors"):
        to(file, tmp_path / "b", "pinxit", SourceConfig(heads=2))


def test_a_shipped_flow_model_can_be_exported_with_a_warning(tmp_path: Path) -> None:
    from pinxit.generate.card import SHIPPED

    said = to(SHIPPED, tmp_path / "a.safetensors", "pixart", SourceConfig())
    assert any("trained as a flow" in line for line in said)
    network, _, _, _ = read_model(SHIPPED)
    assert len(load_file(tmp_path / "a.safetensors")) == len(network.state_dict()) + 2


@pytest.mark.parametrize(
    ("name", "look"),
    [
        ("diffusion_pytorch_model.safetensors", "stand in a config.json beside it"),
        ("config.json", "it is no file that torch saved"),
    ],
)
def test_a_single_file_of_a_folder_names_the_folder(name: str, look: str, tmp_path: Path) -> None:
    file = save_pth(original(network(ALPHA)), tmp_path / "a.pth")
    to(file, tmp_path / "b", "diffusers", SourceConfig(heads=2))
    with pytest.raises(CheckpointError, match=look):
        to(tmp_path / "b" / name, tmp_path / "c.pth", "pixart", SourceConfig())


def test_fixed_null_states_and_the_empty_text_draw_different_pictures(encoders: SourceConfig, tmp_path: Path) -> None:
    tensors = original(network(ALPHA))
    files = [save_pth(tensors, tmp_path / "a.pth")]
    del tensors[NULL]
    files.append(save_pth(tensors, tmp_path / "b.pth"))
    fixed, empty = (drawn(load_pipeline(file, encoders)) for file in files)
    assert furthest(fixed, empty) > 5
