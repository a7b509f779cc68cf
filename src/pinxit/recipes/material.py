"""What a stage learns from: records of its data, encoded once into a cache, and the loader over it."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

import torch

from pinxit.data.bucket import Bucket, buckets
from pinxit.data.cache import Cache, cache_beside, is_complete, open_cache, read_account
from pinxit.data.condition import condition_of
from pinxit.data.conditioned import Conditioned
from pinxit.data.config import ConditionConfig, EditConfig, Fingerprint
from pinxit.data.edit import edit_pair
from pinxit.data.emoji import Art, load_art
from pinxit.data.encode import encode
from pinxit.data.kind import Batch, Caption, Condition, Record
from pinxit.data.loader import CacheLoader, FromDisk, Plan, Source, plan
from pinxit.data.records import read_records
from pinxit.data.resident import Resident, fits
from pinxit.data.scene import Scene, labels, plain_scene, scene
from pinxit.data.split import Split, split
from pinxit.errors import ConfigError, DataError
from pinxit.improve.folder import hash_improver
from pinxit.log import console
from pinxit.models.autoencoder import load_autoencoder
from pinxit.models.identity import identify_autoencoder
from pinxit.models.null import NullCondition
from pinxit.models.text import identify_text, load_text
from pinxit.recipes.recipe import DataConfig, EmojiDataConfig, Recipe, RecordsDataConfig, StageConfig
from pinxit.recipes.rewritten import Rewritten
from pinxit.rng import numpy_at
from pinxit.train.checkpoint import complete_checkpoints
from pinxit.train.compute import Compute

PROCESSOR = torch.device("cpu")
PROBES = 64  # pictures of each split that the probe loss looks at
HELD_OUT = "held out "  # how the keys of scenes begin that are not for training


class SceneRecords(Sequence[Record]):
    """Records of scenes, drawn when asked for: record i of a seed is always the same.

    The last `PROBES` of them are made of art that is held out from training, and say so in their key. Where there is a
    task, each has what it is made from; of edits that is the scene before, and the caption is the instruction.
    """

    def __init__(
        self, data: EmojiDataConfig, parts: Split, sizes: Sequence[Bucket], seed: int,
        condition: ConditionConfig | None = None,
    ) -> None:  # fmt: skip
        self.data, self.parts, self.sizes, self.seed, self.condition = data, parts, sizes, seed, condition
        self.labels = labels(parts.training)

    def __len__(self) -> int:
        return self.data.pictures + PROBES

    def __getitem__(self, index: int) -> Record:  # type: ignore[override]
        """Record `index`."""
        is_held_out = index >= self.data.pictures
        art = self.parts.unseen_style if is_held_out else self.parts.training
        key, place = f"{HELD_OUT if is_held_out else ''}{index}", index - self.data.pictures * is_held_out
        if self.condition is not None and isinstance(self.condition.task, EditConfig):
            return self.edit(art, key, place, self.condition.task)
        drawn = self.scene(art, place)
        made = self._conditions(key, drawn)
        if is_held_out:
            return replace(drawn.record(key, self.seed, share_of_sparse=0.0), conditions=made)
        first = drawn.facts.pieces[0]
        piece = self.parts.training.find(first.concept, first.style)
        label = self.labels[piece.subgroup, piece.style]
        record = drawn.record(key, self.seed, share_of_sparse=self.data.sparse, label=label)
        return replace(record, conditions=made)

    def edit(self, art: Art, key: str, index: int, task: EditConfig) -> Record:
        """The scene after edit `index`, its instruction as the caption, and the scene before as its only condition."""
        pair = edit_pair(art, self.seed, index, self.size(index), task.kinds)
        return Record(
            key, pair.after.picture, (Caption(pair.instruction),), facts=pair.after.facts,
            conditions=(Condition(pair.before.picture),),
        )  # fmt: skip

    def _conditions(self, key: str, drawn: Scene) -> tuple[Condition, ...]:
        if self.condition is None:
            return ()
        draws = (numpy_at(self.seed, f"condition/{key}/{number}") for number in range(self.condition.many))
        return tuple(condition_of(self.condition.task, drawn.picture, rng, drawn) for rng in draws)

    def size(self, index: int) -> tuple[int, int]:
        """Height and width of scene `index`: one of the sizes, `wide` of them no squares."""
        rng = numpy_at(self.seed, f"size/{index}")
        wide = len(self.sizes) > 1 and rng.random() < self.data.wide
        choice = [bucket for bucket in self.sizes if (bucket.height != bucket.width) == wide]
        bucket = choice[int(rng.integers(len(choice)))]
        return bucket.height, bucket.width

    def scene(self, art: Art, index: int) -> Scene:
        """Scene `index` of some art."""
        size = self.size(index)
        if self.data.pieces > 1 and index % 2:
            return scene(art, self.seed, index, size, (2, self.data.pieces))
        return plain_scene(art, index if self.data.pieces == 1 else index // 2, size, self.data.fill)


def read_data(data: DataConfig, stage: StageConfig, seed: int, multiple: int) -> Sequence[Record]:
    """The records of a stage, held-out ones included, and what they are made from where it teaches that."""
    choice = buckets(stage.resolution, multiple, aspect=stage.buckets)
    condition = stage.branch.condition if stage.branch else None
    if isinstance(data, RecordsDataConfig):
        records = read_records(Path(data.folder))
        return records if condition is None else Conditioned(records, condition, choice, seed)
    moderate = [bucket for bucket in choice if 0.5 <= bucket.height / bucket.width <= 2]
    return SceneRecords(data, split(load_art(data.styles)), moderate, seed, condition)


@dataclass
class Material:
    """A stage's cache, the plan over its training part, and what is held out."""

    cache: Cache
    plan: Plan
    held_out: tuple[int, ...]
    seed: int
    stage: StageConfig
    classes: int
    factor: int
    device: torch.device

    @cached_property
    def null(self) -> NullCondition:
        """The states of the empty caption."""
        return NullCondition("empty", self.cache.null.to(self.device))

    @cached_property
    def is_resident(self) -> bool:
        """Whether training holds the cache in the device's memory."""
        return fits(self.cache, self.device)

    def loader(self, started: int) -> CacheLoader[Batch]:
        """The stream of the stage that began when `started` examples of the run were seen."""
        return CacheLoader(self.source, self.plan, self.seed, accumulation=self.stage.accumulation, started=started)

    @cached_property
    def source(self) -> Source[Batch]:
        """Where batches come from: the device's memory, or the disk."""
        return Resident(self.cache, self.seed, self.device) if self.is_resident else self.disk

    def adapt(self, compute: Compute) -> Compute:
        """How to train on it: batches from the disk have shapes of their own, too many to record a step for each."""
        return replace(compute, recorded=compute.recorded and self.is_resident)

    @property
    def disk(self) -> Source[Batch]:
        """Batches read from the cache's files, on the device."""
        return FromDisk(self.cache, self.seed, self.device)

    @cached_property
    def probes(self) -> Mapping[str, Sequence[Batch]]:
        """Fixed batches of training pictures and of held-out ones, bucket by bucket."""
        training = [place for _, places in self.plan.buckets for place in places]
        parts = {"training": training, "held out": list(self.held_out)}
        return {name: list(self._fixed(places)) for name, places in parts.items() if places}

    def _fixed(self, places: Sequence[int]) -> Iterator[Batch]:
        chosen = [places[i] for i in numpy_at(0, "probe").permutation(len(places))[:PROBES]]
        for _, group in plan(self.cache, 1, chosen).buckets:
            yield self.disk.batch(group, 0)


def wanted_fingerprint(recipe: Recipe, stage: StageConfig) -> tuple[Fingerprint, int]:
    """What a stage's cache must have been made of, and the autoencoder's factor; no encoder is loaded.

    Raises ConfigError where network, encoders and resolution do not fit each other.
    """
    autoencoder, text, network = identify_autoencoder(recipe.autoencoder), identify_text(recipe.text), recipe.network
    multiple = autoencoder.factor * network.patch
    for field, value, wanted, whose in (
        ("network.channels", network.channels, autoencoder.channels, "autoencoder"),
        ("network.caption_width", network.caption_width, text.width, "text encoder"),
    ):
        if value != wanted:
            raise ConfigError(field, value, f"the {whose} has {wanted}", f"set it to {wanted}, or change the {whose}")
    if stage.resolution % multiple:
        below = stage.resolution - stage.resolution % multiple
        problem = f"it is no multiple of {multiple}, the autoencoder's factor times the network's patch"
        fitting = " or ".join(str(side) for side in (below, below + multiple) if side)
        raise ConfigError("resolution", stage.resolution, problem, f"say {fitting}")
    fingerprint = Fingerprint(
        autoencoder=autoencoder, text=text, resolution=stage.resolution, buckets=stage.buckets, multiple=multiple,
        condition=stage.branch.condition if stage.branch else None,
    )  # fmt: skip
    return fingerprint, autoencoder.factor


def cache_folder(recipe: Recipe, stage: StageConfig, folder: Path) -> Path:
    """A stage's cache in the run folder, or the link to it; stages that learn from the same pictures at the same size
    share it.
    """
    said = f"{stage.data.model_dump_json(exclude_none=True)}/{stage.resolution}/{stage.buckets}/{recipe.seed}"
    if isinstance(stage.data, EmojiDataConfig) and stage.data.improver is not None:
        said += f"/{hash_improver(Path(stage.data.improver))}"
    if stage.branch is not None:
        said += f"/{stage.branch.condition.model_dump_json()}"
    return folder / "cache" / blake2b(said.encode(), digest_size=6).hexdigest()


def link_cache(where: Path, records: Path, fingerprint: Fingerprint) -> None:
    """`where` is a link to the cache of the records as they are now: the one beside them, where `pinxit data encode`
    writes too and other runs look, or one beside `where`, if nothing can be written there.

    DataError if a run with checkpoints has learned from another import there, which a resumed run cannot go on from.
    """
    shared = cache_beside(records, fingerprint)
    own = where.with_name(shared.name)
    target = shared if is_complete(shared) or (not is_complete(own) and _can_write(shared)) else own
    if where.is_symlink() and where.resolve().name != target.name and complete_checkpoints(where.parent.parent):
        problem = "it was imported anew since the run began, with other pictures, captions or encoders"
        raise DataError(records, problem, "train in another run folder; --start goes on from weights")
    target.mkdir(parents=True, exist_ok=True)
    where.parent.mkdir(parents=True, exist_ok=True)
    temporary = where.with_name(f".{where.name}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target.resolve())
    temporary.replace(where)


def _can_write(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def open_material(recipe: Recipe, stage: StageConfig, folder: Path, device: torch.device = PROCESSOR) -> Material:
    """The stage's material; encoded now if it was not, and after that without any encoder in memory.

    A stage that teaches classes on pictures without one learns them under the null class alone: a line says so.
    """
    fingerprint, factor = wanted_fingerprint(recipe, stage)
    where = cache_folder(recipe, stage, folder)
    if isinstance(stage.data, RecordsDataConfig):
        link_cache(where, Path(stage.data.folder), fingerprint)
    if not is_complete(where):
        records = read_data(stage.data, stage, recipe.seed, fingerprint.multiple)
        if isinstance(stage.data, EmojiDataConfig) and stage.data.improver is not None:
            records = Rewritten(records, Path(stage.data.improver))
        autoencoder = load_autoencoder(recipe.autoencoder, device)
        text = load_text(recipe.text, device=device)
        near = {each.resolve() for place in (where, where.resolve()) for each in place.parent.glob("[!.]*")}
        lenders = map(Cache, sorted(filter(is_complete, near)))
        encode(records, autoencoder, text, where, fingerprint, lenders=lenders)
        del autoencoder  # its memory is free for training
        _tell(where)
    cache = open_cache(where, fingerprint)
    if stage.teaches == "class" and cache.classes == 0:
        said = "no picture has a class: the stage that teaches classes learns them all under the null class"
        console.print(f"{stage.data.kind}: {said}", style="yellow", markup=False, soft_wrap=True)
    held_out = hold_out(cache, stage.data, recipe.seed)
    kept = set(held_out)
    training = [place for place in range(len(cache)) if place not in kept]
    return Material(
        cache, plan(cache, stage.batch, training), held_out, recipe.seed, stage,
        classes=cache.classes, factor=factor, device=device,
    )  # fmt: skip


def _tell(cache: Path) -> None:
    """Lines that say what encoding lost: pictures, captions, words."""
    account = read_account(cache)
    said = {
        "rejected": f"{account['rejected']} of {account['records']} pictures were rejected: {cache / 'rejected.jsonl'}",
        "cut": f"{account['cut']} of {account['captions']} captions were cut, such as before {account['lost'][:1]}",
        "emptied": f"{account['emptied']} of {account['captions']} captions were empty after cleaning",
    }
    for name, line in said.items():
        if account[name]:
            console.print(line, style="yellow", markup=False, soft_wrap=True)


def hold_out(cache: Cache, data: DataConfig, seed: int) -> tuple[int, ...]:
    """Places kept from training for the probe: scenes of held-out art, or a share of own pictures."""
    if isinstance(data, EmojiDataConfig):
        return tuple(place for place, key in enumerate(cache.keys) if key.startswith(HELD_OUT))
    return draw_held_out(len(cache), data.held_out, seed)


def draw_held_out(pictures: int, share: float, seed: int) -> tuple[int, ...]:
    """Places of a share of so many pictures, one of them at least and never all; none where the share is 0."""
    if share == 0:
        return ()
    count = min(pictures - 1, max(1, round(share * pictures)))
    return tuple(int(i) for i in sorted(numpy_at(seed, "held out").permutation(pictures)[:count]))
