"""XL/2 on one GPU in bfloat16: training steps at 256, 512 and 1024 pixels, guided sampling, memory; beside diffusers.

    python benchmarks/gpu.py [train|sample|attention|all] [256,512,1024] [SECONDS]

`train`: pictures a second of a whole step (forward, backward, clipping, AdamW, float32 weights, autocast), compiled:
blocks here, the whole network on the side of diffusers; and the share of the card's rate in matrix products, measured
in the same run. Captions have 120 tokens of width 4096, 30 % of them real. `sample`: seconds of one picture, 20 guided
steps, weights in bfloat16. `attention`: every kernel that the card has for XL/2's heads of 72. One JSON line each; no
case begins after SECONDS. `tiny` in place of the sizes runs everything in seconds on a processor, to try the script.
"""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from diffusers import DPMSolverMultistepScheduler, PixArtTransformer2DModel, __version__
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from pinxit.diffusion.config import IDDPMConfig
from pinxit.diffusion.guidance import guided
from pinxit.diffusion.iddpm import IDDPM
from pinxit.diffusion.solver.dpm import dpm
from pinxit.generate.sample import denoiser
from pinxit.ledger.meter import find_hardware
from pinxit.models.config import TransformerConfig
from pinxit.models.transformer import Transformer
from pinxit.train.config import OptimizerConfig
from pinxit.train.optimizer import Optimizer

CUDA = torch.cuda.is_available()
DEVICE = torch.device("cuda" if CUDA else "cpu")
LENGTH, REAL, GUIDANCE, STEPS = 120, 36, 4.5, 20
BATCH = {256: 64, 512: 24, 1024: 6, 64: 2}
WORK = {256: 0.8932e12, 512: 3.7068e12, 1024: 19.527e12}  # FLOPs of a picture, forward and backward, by count
TINY = TransformerConfig(depth=2, width=144, heads=2)


def config_at(side: int) -> TransformerConfig:
    """XL/2 at a resolution."""
    base = TINY if side == 64 else TransformerConfig()
    return base.model_copy(update={"position_base": side // 16, "position_scale": 1.0})


def ours_at(side: int) -> Transformer:
    with torch.device(DEVICE):
        network = Transformer(config_at(side))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    return network


def theirs_at(side: int) -> Any:
    config = config_at(side)
    with torch.device(DEVICE):
        return PixArtTransformer2DModel(
            num_attention_heads=config.heads, attention_head_dim=config.width // config.heads, num_layers=config.depth,
            cross_attention_dim=config.width, sample_size=side // 8, caption_channels=4096, interpolation_scale=1,
        )  # fmt: skip


class Inputs:
    """A batch of latents, times and captions."""

    def __init__(self, side: int, batch: int, dtype: torch.dtype) -> None:
        torch.manual_seed(0)
        self.latent = torch.randn(batch, 4, side // 8, side // 8, device=DEVICE, dtype=dtype)
        self.time = torch.rand(batch, device=DEVICE) * 1000
        self.caption = torch.randn(batch, LENGTH, 4096, device=DEVICE, dtype=dtype)
        self.keep = (torch.arange(LENGTH, device=DEVICE) < REAL).expand(batch, -1)

    def say(self, network: Any, latent: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        """What diffusers' network says."""
        said: torch.Tensor = network(
            latent, self.caption, at, added_cond_kwargs={"resolution": None, "aspect_ratio": None},
            encoder_attention_mask=self.keep.to(latent.dtype), return_dict=False,
        )[0]  # fmt: skip
        return said


def synchronize() -> None:
    if CUDA:
        torch.cuda.synchronize()


def median(work: Callable[[], object], times: int) -> float:
    """Seconds of one call, the middle of several; after three that plan and compile."""
    for _ in range(3):
        work()
    taken = []
    for _ in range(times):
        synchronize()
        begun = time.perf_counter()
        work()
        synchronize()
        taken.append(time.perf_counter() - begun)
    return sorted(taken)[times // 2]


def peak() -> float:
    """TFLOP/s of a large bfloat16 product."""
    side = 8192 if CUDA else 256
    a, b = (torch.randn(side, side, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    return 2 * side**3 / median(lambda: a @ b, 10) / 1e12


def training(side: int, who: str) -> dict[str, object]:
    """Pictures a second of a whole step."""
    batch, network = BATCH[side], ours_at(side) if who == "pinxit" else theirs_at(side)
    inputs = Inputs(side, batch, torch.float32)
    if who == "pinxit":
        for block in network.blocks if CUDA else ():
            block.compile()
        own = Optimizer(dict(network.named_parameters()), OptimizerConfig(), 10**9)
        short = inputs.caption[:, : 8 * -(-REAL // 8)], inputs.keep[:, : 8 * -(-REAL // 8)]

        def step() -> object:
            with torch.autocast(DEVICE.type, torch.bfloat16, enabled=CUDA):
                loss = network(inputs.latent, inputs.time, *short).float().square().sum()
            loss.backward()
            return own.step(0, own.gradient_norm(batch))
    else:
        if CUDA:
            network.compile()
        adamw = torch.optim.AdamW(network.parameters(), 1e-4, fused=True)

        def step() -> object:
            with torch.autocast(DEVICE.type, torch.bfloat16, enabled=CUDA):
                loss = inputs.say(network, inputs.latent, inputs.time).float().square().mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            adamw.step()
            return adamw.zero_grad()

    if CUDA:
        torch.cuda.reset_peak_memory_stats()
    seconds = median(step, 5)
    memory = torch.cuda.max_memory_allocated() / 2**30 if CUDA else 0.0
    return {"batch": batch, "pictures_per_second": round(batch / seconds, 1), "gibibytes": round(memory, 1)}


def sampling(side: int, who: str) -> dict[str, object]:
    """Seconds of one picture in 20 guided steps."""
    network = (ours_at(side) if who == "pinxit" else theirs_at(side)).to(torch.bfloat16 if CUDA else torch.float32)
    inputs = Inputs(side, 1, torch.bfloat16 if CUDA else torch.float32)
    start, null_keep = inputs.latent, torch.arange(LENGTH, device=DEVICE)[None] < 1

    @torch.no_grad()
    def ours() -> object:
        process = IDDPM(IDDPMConfig())
        told = (
            network.read(inputs.caption[:, :40], inputs.keep[:, :40]),
            network.read(inputs.caption[:, :8], null_keep[:, :8]),
        )
        both = denoiser(lambda x, time, heard: network.denoise_each(x, time, told[:heard]), process)
        return dpm(guided(both, GUIDANCE), start, process.levels(STEPS))

    @torch.no_grad()
    def theirs() -> object:
        scheduler = DPMSolverMultistepScheduler()
        scheduler.set_timesteps(STEPS)
        twice = Inputs(side, 2, start.dtype)
        twice.keep = torch.cat([null_keep, inputs.keep])
        x_t = start
        for at in scheduler.timesteps:
            said = twice.say(network, x_t.repeat(2, 1, 1, 1), at.to(DEVICE).expand(2)).chunk(2, 1)[0]
            without, told_so = said.chunk(2)
            x_t = scheduler.step(without + GUIDANCE * (told_so - without), at, x_t, return_dict=False)[0]
        return x_t

    work = ours if who == "pinxit" else theirs
    found: dict[str, object] = {"eager": round(median(work, 3), 4)}
    if CUDA:
        for block in network.blocks if who == "pinxit" else ():
            block.compile()
        if who != "pinxit":
            network.compile()
        found["compiled"] = round(median(work, 3), 4)
    return found


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> None:
    scaled_dot_product_attention(q, k, v).sum().backward()


def attention() -> dict[str, object]:
    """Milliseconds of self-attention's forward and backward at 1024 pixels, kernel by kernel and head by head."""
    found: dict[str, object] = {}
    tokens = 4096 if CUDA else 64
    for width in (72, 80, 96, 128):
        q, k, v = (
            torch.randn(4, 16, tokens, width, device=DEVICE, dtype=torch.bfloat16 if CUDA else torch.float32,
                        requires_grad=True)
            for _ in range(3)
        )  # fmt: skip
        for backend in (SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION, SDPBackend.EFFICIENT_ATTENTION):
            name = f"{backend.name.lower()} {width}"

            try:
                with sdpa_kernel(backend):
                    found[name] = round(1000 * median(partial(attend, q, k, v), 5), 3)
            except RuntimeError as error:
                found[name] = str(error).splitlines()[0][:60]
    return found


def main(what: str = "all", sizes: str = "256,512,1024", limit: float = 600.0) -> None:
    begun = time.monotonic()
    torch.set_float32_matmul_precision("high")
    head = {"benchmark": "gpu", "torch": torch.__version__, "diffusers": __version__, "hardware": find_hardware().say()}
    rate = peak()
    print(json.dumps({**head, "bf16_tflops": round(rate, 1)}), flush=True)
    cases: list[tuple[dict[str, object], Callable[[], dict[str, object]]]] = []
    if what in {"attention", "all"}:
        cases.append(({"case": "attention, ms"}, attention))
    for side in [64] if sizes == "tiny" else [int(word) for word in sizes.split(",")]:
        for who in ("pinxit", "diffusers"):
            if what in {"train", "all"}:
                cases.append(({"case": "training", "side": side, "who": who}, partial(training, side, who)))
            if what in {"sample", "all"} and side != 512:
                cases.append(({"case": "sampling, s", "side": side, "who": who}, partial(sampling, side, who)))
    for name, case in cases:
        if time.monotonic() - begun > limit:
            print(json.dumps({**name, "left out": "no time"}), flush=True)
            continue
        found = case()
        if "pictures_per_second" in found and name["side"] in WORK:
            flops = float(str(found["pictures_per_second"])) * WORK[int(str(name["side"]))]
            found["share_of_rate"] = round(flops / 1e12 / rate, 3)
        print(json.dumps({**name, **found, "at_s": round(time.monotonic() - begun, 1)}), flush=True)
        torch._dynamo.reset()
        if CUDA:
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main(*(word if index < 2 else float(word) for index, word in enumerate(sys.argv[1:])))  # type: ignore[arg-type]
