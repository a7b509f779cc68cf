"""Others' names of our parameters: a table, applied both ways; every key that does not fit is named."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from torch import Tensor

from pinxit.errors import CheckpointError

Table = Mapping[str, tuple[str, ...]]
"""Our layers, or parameters, and theirs, whose rows stand in ours one after another; {} is the number of a block."""

Shape = tuple[int, ...]

PREFIX = "model.diffusion_model."  # of the network in the files that ComfyUI saves whole

LOOKS = {  # a key, and what a file that holds it looks like
    "shared.linear.weight": "a model of pinxit",
    "t_block.1.weight": "PixArt in the original layout",
    "blocks.0.adaLN_modulation.1.weight": "a class-conditional DiT in the original layout",
    "adaln_single.linear.weight": "PixArt in diffusers' layout",
    "transformer_blocks.0.norm1.linear.weight": "a class-conditional DiT in diffusers' layout",
    "encoder.block.0.layer.0.SelfAttention.q.weight": "a T5 text encoder",
    "decoder.conv_in.weight": "an autoencoder",
    "text_model.embeddings.token_embedding.weight": "a CLIP text encoder",
    "double_blocks.0.img_attn.qkv.weight": "FLUX",
    "joint_blocks.0.x_block.attn.qkv.weight": "Stable Diffusion 3",
    "input_blocks.0.0.weight": "a U-Net of Stable Diffusion",
    "down_blocks.0.resnets.0.conv1.weight": "a U-Net of diffusers",
}


def look_of(keys: Collection[str]) -> str:
    """What kind of file the keys look like, in words."""
    if any("lora" in key.lower() for key in keys):
        return "an adapter (LoRA), no whole network"
    bare = {key.removeprefix(PREFIX) for key in keys}
    return next((look for key, look in LOOKS.items() if key in bare), "nothing that pinxit knows")


def partners(names: Iterable[str], table: Table) -> dict[str, tuple[str, ...]]:
    """For each of our parameters those of theirs that it is made of; KeyError where the table lacks one."""
    found = {}
    for name in names:
        block = re.search(r"(?<=blocks\.)\d+", name)
        general = name if block is None else name.replace(f"blocks.{block[0]}.", "blocks.{}.", 1)
        layer, _, last = general.rpartition(".")
        theirs = table[general] if general in table else tuple(f"{each}.{last}" for each in table[layer])
        found[name] = tuple(each.format(block and block[0]) for each in theirs)
    return found


def to_theirs(ours: Mapping[str, Tensor], table: Table) -> dict[str, Tensor]:
    """Our parameters under their names."""
    return {
        name: part.contiguous()
        for own, names in partners(ours, table).items()
        for name, part in zip(names, ours[own].chunk(len(names)), strict=True)
    }


def to_ours(
    theirs: Mapping[str, Tensor], table: Table, shapes: Mapping[str, Shape], place: Path, idle: Collection[str] = ()
) -> dict[str, Tensor]:
    """Their parameters under our names, whose shapes are `shapes`; the keys in `idle` are no parameters.

    Raises CheckpointError that names every key that is left over, missing or of another shape.
    """
    wanted = partners(shapes, table)
    expected = {
        name: (shapes[own][0] // len(names), *shapes[own][1:]) for own, names in wanted.items() for name in names
    }
    refuse_misfits({key: tuple(value.shape) for key, value in theirs.items() if key not in idle}, expected, place)
    return {own: _join([theirs[name] for name in names]) for own, names in wanted.items()}


def _join(parts: list[Tensor]) -> Tensor:
    import torch

    return parts[0] if len(parts) == 1 else torch.cat(parts)


def refuse_misfits(found: Mapping[str, Shape], expected: Mapping[str, Shape], place: Path) -> None:
    """Raises CheckpointError unless keys and shapes are those expected."""
    misfits = {
        "left over": [key for key in found if key not in expected],
        "missing": [key for key in expected if key not in found],
        "of another shape": [
            f"{key} {list(found[key])}, not {list(shape)}"
            for key, shape in expected.items()
            if key in found and found[key] != shape
        ],
    }
    if not any(misfits.values()):
        return
    said = "; ".join(f"{what}: {_fold(keys)}" for what, keys in misfits.items() if keys)
    raise CheckpointError(
        place,
        f"it looks like {look_of(found)}, but its keys do not fit a network of that kind: {said}",
        "name the file as it was published, or say its sizes if they differ from the published ones",
    )


def _fold(keys: Iterable[str]) -> str:
    """The keys, those of different blocks as one with their count."""
    counts = Counter(re.sub(r"(?<=blocks\.)\d+", "*", key) for key in keys)
    return ", ".join(key if count == 1 else f"{key} ({count} times)" for key, count in counts.items())
