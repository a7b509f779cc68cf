"""Conditions as a network reads them, and records that carry some: what a task makes their pictures from."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from pinxit.data.bucket import Bucket, fit, nearest
from pinxit.data.condition import condition_of, has_map, has_picture
from pinxit.data.config import ConditionConfig, TaskConfig
from pinxit.data.kind import Condition, Record
from pinxit.data.pixel import to_pixels
from pinxit.data.records import Records
from pinxit.models.autoencoder import Autoencoder
from pinxit.rng import numpy_at


def encode_conditions(conditions: Sequence[Condition], autoencoder: Autoencoder) -> Float[Tensor, "b k h w"]:
    """Pictures through the autoencoder, then maps as numbers in [-1, 1], the pixels of a latent's cell as channels.

    All conditions are of one size and have the same parts.
    """
    parts, side = [], autoencoder.identity.factor
    if pictures := [each.picture for each in conditions if each.picture is not None]:
        parts.append(autoencoder.encode(to_pixels(pictures))[0])
    if maps := [each.map for each in conditions if each.map is not None]:
        told = torch.from_numpy(np.stack(maps)).float() / 127.5 - 1
        parts.append(rearrange(told, "b (h p) (w q) -> b (p q) h w", p=side, q=side).to(autoencoder.device))
    return torch.cat(parts, 1)


def condition_channels(task: TaskConfig, channels: int, factor: int) -> tuple[int, int]:
    """Of a task's encoded conditions: channels that are a latent's, and channels that are maps."""
    return channels if has_picture(task) else 0, factor**2 if has_map(task) else 0


class Conditioned(Sequence[Record]):
    """Records brought to their buckets' sizes, each with conditions: always the same ones for a seed and a key."""

    def __init__(self, records: Records, config: ConditionConfig, choice: Sequence[Bucket], seed: int) -> None:
        self.records, self.config, self.choice, self.seed = records, config, choice, seed

    def __len__(self) -> int:
        return len(self.records)

    def places(self, keys: Sequence[str]) -> list[int]:
        """Where the records of those keys stand."""
        known = {key: place for place, key in enumerate(self.records.keys)}
        return [known[key] for key in keys]

    def __getitem__(self, place: int) -> Record:  # type: ignore[override]
        """Record `place`; one that no bucket takes keeps its picture, to be rejected with its reason."""
        record = self.records[place]
        height, width, _ = record.picture.shape
        bucket = nearest((height, width), self.choice)
        picture = record.picture if bucket is None else fit(record.picture, bucket)
        draws = (numpy_at(self.seed, f"condition/{record.key}/{number}") for number in range(self.config.many))
        return replace(
            record,
            picture=picture,
            conditions=tuple(condition_of(self.config.task, picture, rng) for rng in draws),
        )
