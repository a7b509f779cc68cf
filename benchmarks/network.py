"""The network beside diffusers' with the same weights: one pass, one training step, twenty guided steps of sampling.

    python benchmarks/network.py [small|full|tiny] [THREADS] [ROUNDS] [compiled]

`small` is 8 blocks of width 384 and 6 heads at 256 image tokens; `full` is XL/2 at 256 pixels and batch 1, where a
pass and four steps of sampling are timed, since two such networks with their optimisers want 20 GB; `tiny` is two of
its blocks, to try the script. Captions have 120 tokens of width 4096, all of them real or 30 % of them. Both are timed
in turn in one process, on the device at hand; a ratio over 1 says that pinxit is faster. With `compiled` each is timed
twice in every round: as it comes, and compiled, pinxit's blocks as training compiles them, diffusers' whole network.
What each gets is what its own data path gives it: diffusers captions padded to 120 tokens, pinxit the real ones. One
JSON line.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from diffusers import DPMSolverMultistepScheduler, PixArtTransformer2DModel, __version__

from pinxit.diffusion.config import IDDPMConfig
from pinxit.diffusion.guidance import guided
from pinxit.diffusion.iddpm import IDDPM
from pinxit.diffusion.solver.dpm import dpm
from pinxit.generate.sample import denoiser
from pinxit.interop.diffusers import TABLE
from pinxit.interop.keys import to_theirs
from pinxit.ledger.meter import find_hardware
from pinxit.models.config import TransformerConfig
from pinxit.models.packing import Packed
from pinxit.models.transformer import Transformer
from pinxit.train.config import OptimizerConfig
from pinxit.train.optimizer import Optimizer

SMALL = TransformerConfig(depth=8, width=384, heads=6)
FULL = TransformerConfig()
SIZES = {"small": (SMALL, 4, 20), "full": (FULL, 1, 4), "tiny": (FULL.model_copy(update={"depth": 2}), 1, 4)}
GUIDANCE, LENGTH, SIDE = 4.5, 120, 32
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"

Work = Callable[[], object]


class Case:
    """Both networks with the same weights, and their inputs for a batch and a share of real caption tokens."""

    def __init__(self, config: TransformerConfig, batch: int, fill: float) -> None:
        torch.manual_seed(0)
        self.config, self.batch = config, batch
        self.ours = Transformer(config).to(DEVICE)
        for parameter in self.ours.parameters():
            torch.nn.init.normal_(parameter, std=0.02)
        self.theirs: Any = PixArtTransformer2DModel(
            num_attention_heads=config.heads, attention_head_dim=config.width // config.heads, num_layers=config.depth,
            cross_attention_dim=config.width, sample_size=SIDE, caption_channels=4096, interpolation_scale=1,
        ).to(DEVICE)  # fmt: skip
        self.theirs.load_state_dict(to_theirs(self.ours.state_dict(), TABLE))
        real = round(LENGTH * fill)
        self.latent = torch.randn(batch, 4, SIDE, SIDE, device=DEVICE)
        self.time = torch.randint(0, 1000, (batch,), device=DEVICE).float()
        self.caption = torch.randn(batch, LENGTH, 4096, device=DEVICE)
        self.keep = (torch.arange(LENGTH, device=DEVICE) < real).expand(batch, -1)
        self.short = self.caption[:, :real], self.keep[:, :real]

    def compile(self) -> None:
        """Both are compiled when they are next asked."""
        for block in self.ours.blocks:
            block.compile()
        self.theirs.compile()

    def forward(self) -> tuple[Work, Work]:
        """One pass."""

        def ours() -> object:
            with torch.no_grad():
                return self.ours(self.latent, self.time, *self.short)

        def theirs() -> object:
            with torch.no_grad():
                return self.say(self.latent, self.time, self.caption, self.keep)

        return ours, theirs

    def training(self) -> tuple[Work, Work]:
        """One step with its optimiser: each side's own AdamW, as it comes."""
        own = Optimizer(dict(self.ours.named_parameters()), OptimizerConfig(kind="adamw"), 10**9)
        adamw = torch.optim.AdamW(self.theirs.parameters(), 1e-4)

        def ours() -> object:
            self.ours(self.latent, self.time, *self.short).square().mean().backward()
            return own.step(0, own.gradient_norm(1))

        def theirs() -> object:
            self.say(self.latent, self.time, self.caption, self.keep).square().mean().backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.theirs.parameters(), 1.0)
            adamw.step()
            return adamw.zero_grad()

        return ours, theirs

    def sampling(self, steps: int) -> tuple[Work, Work]:
        """Guided sampling of one picture by DPM-Solver++; the null caption is one token, as the empty text's."""
        process, start = IDDPM(IDDPMConfig()), self.latent[:1]
        null = torch.randn(1, LENGTH, 4096, device=DEVICE)
        null_keep = torch.arange(LENGTH, device=DEVICE)[None] < 1

        @torch.no_grad()
        def ours() -> object:
            readings = [
                self.ours.read(*(part[:1] for part in self.short)),
                self.ours.read(null[:, :1], null_keep[:, :1]),
            ]
            both = denoiser(lambda x, time, heard: self.ours.denoise_each(x, time, readings[:heard]), process)
            with Packed(self.ours):
                return dpm(guided(both, GUIDANCE), start, process.levels(steps))

        @torch.no_grad()
        def theirs() -> object:
            scheduler = DPMSolverMultistepScheduler()
            scheduler.set_timesteps(steps)
            text, mask = torch.cat([null, self.caption[:1]]), torch.cat([null_keep, self.keep[:1]])
            x_t = start
            for at in scheduler.timesteps:
                said = self.say(x_t.repeat(2, 1, 1, 1), at.to(DEVICE).expand(2), text, mask).chunk(2, 1)[0]
                without, told_so = said.chunk(2)
                x_t = scheduler.step(without + GUIDANCE * (told_so - without), at, x_t, return_dict=False)[0]
            return x_t

        return ours, theirs

    def say(self, latent: torch.Tensor, at: torch.Tensor, caption: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        """What diffusers' network says."""
        said: torch.Tensor = self.theirs(
            latent, caption, at, added_cond_kwargs={"resolution": None, "aspect_ratio": None},
            encoder_attention_mask=keep.to(latent.dtype), return_dict=False,
        )[0]  # fmt: skip
        return said


def seconds(work: Work) -> float:
    begun = time.perf_counter()
    work()
    if DEVICE == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def staged(work: Work, stance: str) -> Work:
    """The same, compiled where its network is to be (`default`) or all the same as it comes (`force_eager`)."""

    def inside() -> object:
        with torch.compiler.set_stance(stance):
            return work()

    return inside


def compare(works: tuple[Work, Work], rounds: int, compiled: bool) -> dict[str, object]:
    """Seconds of both in each way, in turn, and the quartiles of the ratio round by round."""
    ways = {"eager": "force_eager", "compiled": "default"} if compiled else {"eager": "force_eager"}
    cases = [staged(work, stance) for stance in ways.values() for work in works]
    for case in cases * (2 if compiled else 1):
        seconds(case)  # the first calls of each plan its products and compile it
    taken = [[0.0] * rounds for _ in cases]
    for index in range(rounds):
        for place in range(len(cases))[:: 1 if index % 2 else -1]:
            taken[place][index] = seconds(cases[place])
    return {way: ratio(*taken[2 * place : 2 * place + 2]) for place, way in enumerate(ways)}


def ratio(ours: list[float], theirs: list[float]) -> dict[str, object]:
    """Median and quartiles of how much faster ours is, and the median seconds of both."""
    ratios = [each / own for own, each in zip(ours, theirs, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    return {
        "ratio": round(middle, 3), "quartiles": [round(low, 3), round(high, 3)],
        "seconds": [round(statistics.median(side), 3) for side in (ours, theirs)],
    }  # fmt: skip


def time_all(size: str, fill: float, rounds: int, compiled: bool) -> dict[str, object]:
    """Every work at one share of real caption tokens."""
    config, batch, steps = SIZES[size]
    case = Case(config, batch, fill)
    with torch.no_grad():
        ours, theirs = (work() for work in case.forward())
    assert torch.allclose(ours, theirs, atol=1e-4), "they do not say the same"  # type: ignore[arg-type]
    if compiled:
        case.compile()
    works = {"forward": case.forward(), f"sampling in {steps} steps": case.sampling(steps)}
    if size == "small":
        works["training step"] = case.training()
    return {name: compare(pair, rounds, compiled) for name, pair in works.items()}


def main(size: str = "small", threads: str = "1", rounds: str = "7", compiled: str = "") -> None:
    torch.set_num_threads(int(threads))
    found = {}
    for fill in (0.3, 1.0):
        found[f"{fill:.0%} full"] = time_all(size, fill, int(rounds), bool(compiled))
        torch.compiler.reset()  # graphs of the networks that are gone
    print(json.dumps({
        "benchmark": "network", "size": size, "device": DEVICE, "threads": int(threads), "batch": SIZES[size][1],
        "rounds": int(rounds), "torch": torch.__version__, "diffusers": __version__,
        "hardware": find_hardware().say(), **found,
    }))  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
