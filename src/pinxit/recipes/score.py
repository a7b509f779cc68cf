"""Samples and scores at the end of a stage: the same prompts and seeds each time, real pictures beside them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from PIL import Image

from pinxit.data.emoji import Art, Piece
from pinxit.data.kind import Facts, Pixels
from pinxit.data.palette import PALETTE
from pinxit.data.scene import Scene, labels, single
from pinxit.data.words import plain
from pinxit.diffusion.build import make_process
from pinxit.evaluate.alignment import Judge, score
from pinxit.evaluate.interval import Share
from pinxit.generate.pipeline import to_pictures
from pinxit.generate.sample import Predict, sample
from pinxit.log import append_line, read_lines
from pinxit.models.autoencoder import Autoencoder, load_autoencoder
from pinxit.models.dit import DiT
from pinxit.models.null import stack_captions
from pinxit.models.text import TextEncoder, load_text
from pinxit.models.transformer import Transformer
from pinxit.recipes.build import process_config
from pinxit.recipes.course import StageEnd
from pinxit.recipes.sheet import lay
from pinxit.rng import numpy_at
from pinxit.train.autoencoder import to_pixels

SHOWN = 16  # samples on a sheet
SEEDS = 1_000_000  # of the first scored picture


@dataclass(frozen=True)
class Asked:
    """One prompt with what must be seen for it."""

    prompt: str
    facts: Facts
    piece: Piece
    seed: int


def ask(art: Art, count: int, size: int, fill: float, seed: int) -> list[Asked]:
    """Prompts of single pieces on backgrounds in turn: a fixed choice of `count` pieces."""
    chosen = numpy_at(seed, "prompts").permutation(len(art))[:count]
    asked = []
    for index, place in enumerate(chosen):
        piece = art[int(place)]
        facts = single(piece, list(PALETTE)[index % len(PALETTE)], (size, size), fill).facts
        asked.append(Asked(plain(facts), facts, piece, SEEDS + index))
    return asked


@dataclass
class Scorer:
    """Called at the end of each stage: draws, shows, judges; candidates are all training pictures of the styles."""

    training: Art
    held_out: Art
    judge: Judge
    count: int = 200
    fill: float = 0.9
    encoders: tuple[Autoencoder, TextEncoder] | None = None
    ceilings: dict[str, Mapping[str, Share]] = field(default_factory=dict)

    def __call__(self, end: StageEnd) -> None:
        """Samples, scores and their sheet are in the run folder."""
        autoencoder, text = self.encoders or (load_autoencoder(end.recipe.autoencoder), load_text(end.recipe.text))
        size = end.stage.resolution
        for kind, art in (("training", self.training), ("held-out", self.held_out)):
            if not len(art):
                continue
            asked = ask(art, self.count if kind == "training" else self.count // 2, size, self.fill, end.recipe.seed)
            pictures = draw(end, asked, autoencoder, text)
            if kind == "training":
                self.show(end, asked, pictures, autoencoder)
            judge = self.judge if kind == "training" else Judge(Art([*self.held_out]), self.judge.features)
            self.write(end, kind, score(judge, pictures, [a.facts for a in asked]), self.ceiling(kind, asked, judge, autoencoder))

    def ceiling(self, kind: str, asked: Sequence[Asked], judge: Judge, autoencoder: Autoencoder) -> Mapping[str, Share]:
        """The same score of the real pictures after a way through the autoencoder."""
        facts = [a.facts for a in asked]
        size = facts[0].pieces[0].box
        key = f"{kind}/{size}"
        if key not in self.ceilings:
            self.ceilings[key] = score(judge, through(real(asked, self.fill), autoencoder), facts)
        return self.ceilings[key]

    def show(self, end: StageEnd, asked: Sequence[Asked], pictures: Sequence[Pixels], autoencoder: Autoencoder) -> None:
        """Sheets of the first samples, the real pictures, and those through the autoencoder."""
        folder = end.folder / "samples"
        folder.mkdir(exist_ok=True)
        shown = list(asked[:SHOWN])
        true = real(shown, self.fill)
        sheets = {end.name: pictures[:SHOWN], "real": true, "ceiling": through(true, autoencoder)}
        for name, sheet in sheets.items():
            images = [Image.fromarray(picture) for picture in sheet]
            lay(images, 8).save(folder / f"{name}.png")
        file = folder / "index.json"
        index = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
        row = {
            "stage": end.name, "seen": end.state.seen, "file": f"{end.name}.png",
            "captions": [a.prompt for a in shown], "seeds": [a.seed for a in shown],
        }  # fmt: skip
        rows = [old for old in index if old["stage"] != end.name] + [row]
        file.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")

    def write(self, end: StageEnd, kind: str, found: Mapping[str, Share], ceiling: Mapping[str, Share]) -> None:
        """One line a measure in `scores.jsonl`; a stage's older lines are replaced."""
        file = end.folder / "scores.jsonl"
        old = [row for row in read_lines(file) if (row["stage"], row["kind"]) != (end.name, kind)]
        file.write_text("".join(json.dumps(row) + "\n" for row in old), encoding="utf-8")
        for measure, share in found.items():
            low, high = share.interval
            append_line(file, {
                "stage": end.name, "seen": end.state.seen, "measure": measure, "value": share.value, "low": low,
                "high": high, "n": share.of, "ceiling": ceiling[measure].value, "kind": kind,
            })  # fmt: skip


def real(asked: Sequence[Asked], fill: float) -> list[Pixels]:
    """The true pictures of what was asked."""
    return [true_scene(a, fill).picture for a in asked]


def true_scene(asked: Asked, fill: float) -> Scene:
    """The scene that a prompt describes."""
    left, top, right, bottom = asked.facts.pieces[0].box
    del left, top, right, bottom
    return single(asked.piece, asked.facts.background, asked_size(asked), fill)


def asked_size(asked: Asked) -> tuple[int, int]:
    """Height and width of the picture that a prompt was made for."""
    raise NotImplementedError


def through(pictures: Sequence[Pixels], autoencoder: Autoencoder, batch: int = 32) -> list[Pixels]:
    """Pictures after a way through the autoencoder."""
    done: list[Pixels] = []
    for first in range(0, len(pictures), batch):
        mean, _ = autoencoder.encode(to_pixels(list(pictures[first : first + batch])))
        done += to_pictures(autoencoder.decode(mean))
    return done


def draw(end: StageEnd, asked: Sequence[Asked], autoencoder: Autoencoder, text: TextEncoder) -> list[Pixels]:
    """One picture a prompt from the stage's average weights; of stage one by the class of the piece asked for."""
    process = make_process(process_config(end.recipe, end.stage))
    side = end.stage.resolution // autoencoder.identity.factor
    shape = (end.recipe.network.channels, side, side)
    known = labels(end.material_art) if isinstance(end.state.average.model, DiT) else {}
    done: list[Pixels] = []
    batch = end.recipe.sampling.batch
    for first in range(0, len(asked), batch):
        part = asked[first : first + batch]
        conditional, null = bind(end, part, text, known)
        latent = sample(
            conditional, null, process, end.recipe.sampling, shape=shape, seeds=[a.seed for a in part]
        )
        done += to_pictures(autoencoder.decode(latent))
    return done


def bind(
    end: StageEnd, asked: Sequence[Asked], text: TextEncoder, known: Mapping[tuple[str, str], int]
) -> tuple[Predict, Predict]:
    """The average network bound to what is asked, and to nothing."""
    network = end.state.average.model
    if isinstance(network, DiT):
        label = torch.tensor([known.get((a.piece.subgroup, a.piece.style), network.classes) for a in asked])
        return partial(network, label=label), partial(network, label=torch.full_like(label, network.classes))
    assert isinstance(network, Transformer)
    caption, keep = stack_captions(text.encode([a.prompt for a in asked]))
    null, all_real = end.material.null.expand(len(asked))
    return partial(network, caption=caption, keep=keep), partial(network, caption=null, keep=all_real)
