"""Samples and scores at the end of a stage: the same prompts and seeds each time, real pictures beside them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pinxit.data.emoji import Art, Piece
from pinxit.data.kind import Pixels
from pinxit.data.palette import PALETTE
from pinxit.data.pixel import through, to_pictures
from pinxit.data.scene import Scene, labels, single
from pinxit.data.words import plain
from pinxit.diffusion.build import make_process
from pinxit.evaluate.area import background_colour, name_colour
from pinxit.evaluate.feature import Lite0, thumbnails
from pinxit.evaluate.interval import Share
from pinxit.generate.sample import Predict, sample
from pinxit.log import Bar, append_line, read_lines
from pinxit.models.autoencoder import Autoencoder, load_autoencoder
from pinxit.models.dit import DiT
from pinxit.models.null import null_of, stack_captions
from pinxit.models.text import TextEncoder, load_text
from pinxit.models.transformer import Transformer
from pinxit.recipes.build import process_config
from pinxit.recipes.course import StageEnd
from pinxit.recipes.sheet import lay
from pinxit.rng import numpy_at

SHOWN = 16  # samples on a sheet
SEEDS = 1_000_000  # of the first scored picture
MEASURES = (
    "background", "concept by 16x16 pixels, rank 1", "concept by 16x16 pixels, rank 5",
    "concept by Lite0, rank 1", "concept by Lite0, rank 5",
)  # fmt: skip
AGAINST = 64  # side in pixels of what drawings are held against; larger ones told 96-pixel drawings apart no better


@dataclass(frozen=True)
class Asked:
    """One prompt with what must be seen for it."""

    prompt: str
    scene: Scene
    piece: Piece
    seed: int


def ask(art: Art, count: int, side: int, seed: int) -> list[Asked]:
    """Prompts of single pieces on the backgrounds in turn: a fixed choice of `count` pieces."""
    asked = []
    for index, place in enumerate(numpy_at(seed, "prompts").permutation(len(art))[:count]):
        piece = art[int(place)]
        scene = single(piece, list(PALETTE)[index % len(PALETTE)], (side, side))
        asked.append(Asked(plain(scene.facts), scene, piece, SEEDS + index))
    return asked


@dataclass
class Scorer:
    """Called at the end of each stage: draws, shows, scores.

    What is drawn is held against every training picture of the style on the background asked for: whole pictures, by
    16x16 pixels and by Lite0's features. Prompts of held-out art are held against that.
    """

    training: Art
    held_out: Art
    count: int = 200
    known: dict[tuple[str, str], tuple[Tensor, Tensor]] = field(default_factory=dict)
    ceilings: dict[tuple[str, int], Mapping[str, Share]] = field(default_factory=dict)

    def __call__(self, end: StageEnd) -> None:
        """Samples, scores and their sheets are in the run folder."""
        artist = Artist(
            end,
            load_autoencoder(end.recipe.autoencoder, end.material.device),
            load_text(end.recipe.text, device=end.material.device),
            labels(self.training),
        )
        for kind, art, count in (("training", self.training, self.count), ("held-out", self.held_out, self.count // 2)):
            if not len(art):
                continue
            asked = ask(art, count, end.stage.resolution, end.recipe.seed)
            pictures = artist.draw(asked)
            if kind == "training":
                shown = through(artist.autoencoder, [a.scene.picture for a in asked[:SHOWN]])
                show(end, asked[:SHOWN], pictures[:SHOWN], shown)
            key = kind, end.stage.resolution
            if key not in self.ceilings:
                real = through(artist.autoencoder, [a.scene.picture for a in asked])
                self.ceilings[key] = self.score(kind, art, real, asked)
            write(end, kind, self.score(kind, art, pictures, asked), self.ceilings[key])

    def score(self, kind: str, art: Art, pictures: Sequence[Pixels], asked: Sequence[Asked]) -> Mapping[str, Share]:
        """Which share has the right background, and the right concept at rank 1 and 5 by both measures."""
        thumbs, features = thumbnails(np.stack(pictures)), self.lite0.directions(np.stack(pictures))
        right: dict[str, list[bool]] = {name: [] for name in MEASURES}
        for index, (picture, wanted) in enumerate(zip(pictures, asked, strict=True)):
            background, concept = wanted.scene.facts.background, wanted.piece.concept
            right["background"].append(name_colour(background_colour(picture)) == background)
            pixels, directions = self.candidates(kind, art, background)
            distances = {
                "16x16 pixels": torch.cdist(thumbs[index, None], pixels)[0],
                "Lite0": -(directions @ features[index]),
            }
            for name, distance in distances.items():
                nearest = [art[place].concept for place in distance.argsort()[:5].tolist()]
                right[f"concept by {name}, rank 1"].append(nearest[0] == concept)
                right[f"concept by {name}, rank 5"].append(concept in nearest)
        return {name: Share(sum(rights), len(rights)) for name, rights in right.items()}

    def candidates(self, kind: str, art: Art, background: str) -> tuple[Tensor, Tensor]:
        """Thumbnails and features of all the art on a background; made once."""
        key = kind, background
        if key not in self.known:
            pictures = np.stack([single(piece, background, (AGAINST, AGAINST)).picture for piece in art])
            self.known[key] = thumbnails(pictures), self.lite0.directions(pictures)
        return self.known[key]

    @cached_property
    def lite0(self) -> Lite0:
        """The feature network, loaded when first asked for."""
        return Lite0()


@dataclass(frozen=True)
class Artist:
    """A stage's average weights with the encoders, as they draw at its end."""

    end: StageEnd
    autoencoder: Autoencoder
    text: TextEncoder
    labels: Mapping[tuple[str, str], int]

    def draw(self, asked: Sequence[Asked]) -> list[Pixels]:
        """One picture a prompt; in stage one the prompt is the class of the piece asked for."""
        recipe, stage = self.end.recipe, self.end.stage
        process = make_process(process_config(recipe, stage))
        side = stage.resolution // self.autoencoder.identity.factor
        shape = (recipe.network.channels, side, side)
        done: list[Pixels] = []
        with Bar("drawing to be scored", len(asked)) as bar:
            for first in range(0, len(asked), recipe.sampling.batch):
                part = asked[first : first + recipe.sampling.batch]
                seeds = [a.seed for a in part]
                latent = sample(
                    self._bind(part),
                    process,
                    recipe.sampling,
                    shape=shape,
                    seeds=seeds,
                    device=self.end.material.device,
                )
                done += to_pictures(self.autoencoder.decode(latent))
                bar.move(len(done))
        return done

    @torch.no_grad()
    def _bind(self, asked: Sequence[Asked]) -> Predict:
        """The network bound to what is asked, and to nothing."""
        network = self.end.state.average.model
        if isinstance(network, DiT):
            known = [self.labels.get((a.piece.subgroup, a.piece.style), network.classes) for a in asked]
            label = torch.tensor(known, device=self.end.material.device)
            labels = (label, torch.full_like(label, network.classes))
            return lambda x_t, time, heard: [network(x_t, time, each) for each in labels[:heard]]
        assert isinstance(network, Transformer)
        device = self.end.material.device
        captions = [states.to(device) for states in self.text.encode([a.prompt for a in asked])]
        null = null_of(network, self.end.material.null)
        readings = [network.read(*stack_captions(each)) for each in (captions, null.instead_of(captions))]
        return lambda x_t, time, heard: network.denoise_each(x_t, time, readings[:heard])


def show(end: StageEnd, asked: Sequence[Asked], pictures: Sequence[Pixels], ceiling: Sequence[Pixels]) -> None:
    """Sheets of the first samples, of the real pictures, and of those through the autoencoder."""
    folder = end.folder / "samples"
    folder.mkdir(exist_ok=True)
    for name, sheet in ((end.name, pictures), ("real", [a.scene.picture for a in asked]), ("ceiling", ceiling)):
        lay([Image.fromarray(picture) for picture in sheet], 8).save(folder / f"{name}.png")
    file = folder / "index.json"
    index = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
    row = {
        "stage": end.name, "seen": end.state.seen, "file": f"{end.name}.png",
        "captions": [a.prompt for a in asked], "seeds": [a.seed for a in asked],
    }  # fmt: skip
    rows = [old for old in index if old["stage"] != end.name]
    file.write_text(json.dumps([*rows, row], ensure_ascii=False), encoding="utf-8")


def write(end: StageEnd, kind: str, found: Mapping[str, Share], ceiling: Mapping[str, Share]) -> None:
    """One line a measure in `scores.jsonl`; the stage's older lines are replaced."""
    file = end.folder / "scores.jsonl"
    old = [row for row in read_lines(file) if (row["stage"], row["kind"]) != (end.name, kind)]
    file.write_text("".join(json.dumps(row) + "\n" for row in old), encoding="utf-8")
    for measure, share in found.items():
        low, high = share.interval
        append_line(file, {
            "stage": end.name, "seen": end.state.seen, "measure": measure, "value": share.value, "low": low,
            "high": high, "n": share.n, "ceiling": ceiling[measure].value, "kind": kind,
        })  # fmt: skip
