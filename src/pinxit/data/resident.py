"""A whole cache in a GPU's memory: batches are gathered there and wait for no disk."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pinxit.data.cache import Cache
from pinxit.data.kind import Batch
from pinxit.data.loader import draw_condition
from pinxit.models.device import Device, free_memory
from pinxit.rng import Draws

SHARE = 0.5  # of a GPU's free memory that a cache may take
WHOLE = 8  # captions are padded to a multiple of this, as attention's kernels like it


def fits(cache: Cache, device: torch.device) -> bool:
    """Whether a GPU has room for the cache."""
    return device.type == "cuda" and cache.size < SHARE * free_memory(device)


class Resident:
    """A Source whose batches differ from those of the disk in their padding: captions are as long as the longest of
    all, so that every batch of a bucket has the same shapes.
    """

    def __init__(self, cache: Cache, seed: int, device: Device) -> None:
        self.cache, self.device, self.seed = cache, device, seed
        shapes = np.array(cache.shapes)
        self._within = np.zeros(len(cache), np.int64)  # a picture's place among those of its shape
        self._latents: dict[tuple[int, ...], tuple[torch.Tensor, torch.Tensor]] = {}
        self._conditions: dict[tuple[int, ...], torch.Tensor] = {}
        for shape in sorted(set(cache.shapes)):
            places = np.flatnonzero((shapes == shape).all(1))
            self._within[places] = np.arange(len(places))
            mean, std = cache.latents(places.tolist())
            self._latents[shape] = mean.to(device), std.to(device)
            if (conditions := cache.conditions(places.tolist())) is not None:
                self._conditions[shape] = conditions.to(device)
        states, lengths = cache.states()
        self._states, self._lengths = states.to(device), np.array(lengths)
        self._begins = np.cumsum(self._lengths) - self._lengths
        self.length = -(-int(self._lengths.max()) // WHOLE) * WHOLE
        self._captions, self._chances = cache.choices()
        self._sizes = torch.tensor(cache.sizes, dtype=torch.float32, device=device)
        self._labels = torch.tensor(cache.labels, device=device)

    def batch(self, places: Sequence[int], first: int) -> Batch:
        """Captions are padded to `length`."""
        position = tuple(range(first, first + len(places)))
        mean, std = self._latents[self.cache.shapes[places[0]]]
        within = torch.from_numpy(self._within[list(places)]).to(self.device)
        drawn = Draws(self.seed, position).uniform("caption").double().numpy()
        chosen = self._captions[list(places), (self._chances[list(places)] <= drawn[:, None]).sum(1)]
        lengths, begins = (torch.from_numpy(x[chosen]).to(self.device) for x in (self._lengths, self._begins))
        steps = torch.arange(self.length, device=self.device)
        keep = steps < lengths[:, None]
        caption = self._states[torch.where(keep, begins[:, None] + steps, 0)].float() * keep[..., None]
        where = torch.tensor(places, device=self.device)
        return Batch(
            mean=mean[within].float(),
            std=std[within].float(),
            caption=caption,
            keep=keep,
            size=self._sizes[where],
            aspect=torch.full((len(places),), mean.shape[2] / mean.shape[3], device=self.device),
            label=self._labels[where],
            position=position,
            keys=tuple(self.cache.keys[place] for place in places),
            condition=self._condition(places, within, position),
        )

    def _condition(
        self, places: Sequence[int], within: Int[Tensor, "b"], position: tuple[int, ...]
    ) -> Float[Tensor, "b k h w"] | None:
        """One of the conditions of each picture."""
        found = self._conditions.get(self.cache.shapes[places[0]])
        if found is None:
            return None
        return found[within, draw_condition(self.seed, position, found.shape[1]).to(self.device)].float()
