"""XL/2 on one GPU in bfloat16: training steps at 256, 512 and 1024 pixels, guided sampling, memory; beside diffusers.

    python benchmarks/gpu.py [train|sample|attention|all] [256,512,1024] [SECONDS]

`train`: pictures a second of a whole step (forward, backward, clipping, AdamW, float32 weights, autocast), compiled:
blocks here, the whole network on the side of diffusers; and the share of the card's rate in matrix products, measured
in the same run, by the operations that pinxit's step asks for. `sample`: seconds of one picture, 20 guided steps,
weights in bfloat16, as it comes and compiled. Both sides are timed in turn in one process; `ratio` is how much faster
pinxit is, the median and quartiles of the rounds. Captions have 120 tokens of width 4096, 30 % of them real, or all.
Memory is that of each side by itself. `attention`: every kernel that the card has for XL/2's heads of 72. One JSON line
each; no case begins after SECONDS. `tiny` in place of the sizes runs everything in seconds on a processor, to try the
script.
"""

import json
import statistics
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
from pinxit.models import count
from pinxit.models.config import TransformerConfig
from pinxit.models.transformer import Transformer
from pinxit.train.config import OptimizerConfig
from pinxit.train.optimizer import Optimizer

CUDA = torch.cuda.is_available()
DEVICE = torch.device("cuda" if CUDA else "cpu")
LENGTH, GUIDANCE, STEPS, ROUNDS = 120, 4.5, 20, 5
REAL = {"30%": 36, "100%": 120}  # tokens of a caption
BATCH = {256: 64, 512: 24, 1024: 6, 64: 2}
TINY = TransformerConfig(depth=2, width=144, heads=2)

Work = Callable[[], object]


def config_at(side: int) -> TransformerConfig:
    """XL/2 at a resolution; at 1024 pixels it is told sizes and aspects."""
    base = TINY if side == 64 else TransformerConfig()
    changes = {"position_base": side // 16, "position_scale": 1.0, "conditions": side == 1024}
    return base.model_copy(update=changes)


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
            use_additional_conditions=config.conditions,
        )  # fmt: skip


class Inputs:
    """A batch of latents, times and captions."""

    def __init__(self, side: int, batch: int, real: int, dtype: torch.dtype) -> None:
        torch.manual_seed(0)
        self.latent = torch.randn(batch, 4, side // 8, side // 8, device=DEVICE, dtype=dtype)
        self.time = torch.rand(batch, device=DEVICE) * 1000
        self.caption = torch.randn(batch, LENGTH, 4096, device=DEVICE, dtype=dtype)
        self.keep = (torch.arange(LENGTH, device=DEVICE) < real).expand(batch, -1)
        self.cut = 8 * -(-real // 8)  # tokens that pinxit's own data path would give
        is_told = config_at(side).conditions
        self.size = torch.full((batch, 2), float(side), device=DEVICE) if is_told else None
        self.aspect = torch.ones(batch, device=DEVICE) if is_told else None

    def say(self, network: Any, latent: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        """What diffusers' network says."""
        aspect = None if self.aspect is None else self.aspect[:, None]
        said: torch.Tensor = network(
            latent, self.caption, at, added_cond_kwargs={"resolution": self.size, "aspect_ratio": aspect},
            encoder_attention_mask=self.keep.to(latent.dtype), return_dict=False,
        )[0]  # fmt: skip
        return said


def synchronize() -> None:
    if CUDA:
        torch.cuda.synchronize()


def seconds(work: Work) -> float:
    """Of one call."""
    synchronize()
    begun = time.perf_counter()
    work()
    synchronize()
    return time.perf_counter() - begun


def median(work: Work, times: int) -> float:
    """Seconds of one call, the middle of several; after three that plan and compile."""
    for _ in range(3):
        work()
    return statistics.median(seconds(work) for _ in range(times))


def compare(ours: Work, theirs: Work) -> tuple[float, dict[str, object]]:
    """Median seconds of ours, and a row: those of both, timed in turn after three calls each, and the rounds' ratio."""
    for work in (ours, theirs) * 3:
        work()
    taken = [
        (seconds(ours), seconds(theirs)) if turn % 2 else (seconds(theirs), seconds(ours))[::-1]
        for turn in range(ROUNDS)
    ]
    low, middle, high = statistics.quantiles((other / own for own, other in taken), n=4)
    own, other = (statistics.median(side) for side in zip(*taken, strict=True))
    row = {
        "seconds": [round(own, 4), round(other, 4)], "ratio": round(middle, 3),
        "quartiles": [round(low, 3), round(high, 3)],
    }  # fmt: skip
    return own, row


def gibibytes(make: Callable[[], Work]) -> tuple[Work, float]:
    """What is made, and the most memory that its second call takes beside what was taken before it was made."""
    before = torch.cuda.memory_allocated() if CUDA else 0
    work = make()
    work()  # an optimiser's state comes with the first step
    if CUDA:
        torch.cuda.reset_peak_memory_stats()
    work()
    most = torch.cuda.max_memory_allocated() if CUDA else 0
    return work, round((most - before) / 2**30, 1)


def peak() -> float:
    """TFLOP/s of a large bfloat16 product."""
    side = 8192 if CUDA else 256
    a, b = (torch.randn(side, side, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    return 2 * side**3 / median(lambda: a @ b, 10) / 1e12


def our_training(side: int, inputs: Inputs) -> Work:
    network = ours_at(side)
    for block in network.blocks if CUDA else ():
        block.compile()
    own = Optimizer(dict(network.named_parameters()), OptimizerConfig(), 10**9)
    short = inputs.caption[:, : inputs.cut], inputs.keep[:, : inputs.cut]

    def step() -> object:
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=CUDA):
            said = network(inputs.latent, inputs.time, *short, inputs.size, inputs.aspect)
            loss = said.float().square().sum()
        loss.backward()
        return own.step(0, own.gradient_norm(len(inputs.time)))

    return step


def their_training(side: int, inputs: Inputs) -> Work:
    network = theirs_at(side)
    if CUDA:
        network.compile()
    adamw = torch.optim.AdamW(network.parameters(), 1e-4, fused=True)

    def step() -> object:
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=CUDA):
            loss = inputs.say(network, inputs.latent, inputs.time).float().square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        adamw.step()
        return adamw.zero_grad()

    return step


def training(side: int, real: int, rate: float) -> dict[str, object]:
    """Pictures a second of a whole step."""
    batch = BATCH[side]
    inputs = Inputs(side, batch, real, torch.float32)
    ours, our_memory = gibibytes(partial(our_training, side, inputs))
    theirs, their_memory = gibibytes(partial(their_training, side, inputs))
    each, found = compare(ours, theirs)
    work = count.transformer(config_at(side), (side // 16) ** 2, inputs.cut).training
    return {
        "batch": batch, "pictures_per_second": round(batch / each, 1),
        "share_of_rate": round(batch * work / each / 1e12 / rate, 3), "gibibytes": [our_memory, their_memory], **found,
    }  # fmt: skip


def our_sampling(network: Transformer, inputs: Inputs) -> Work:
    null_keep = torch.arange(LENGTH, device=DEVICE)[None] < 1

    @torch.no_grad()
    def draw() -> object:
        process = IDDPM(IDDPMConfig())
        told = (
            network.read(inputs.caption[:, : inputs.cut], inputs.keep[:, : inputs.cut]),
            network.read(inputs.caption[:, :8], null_keep[:, :8]),
        )
        both = denoiser(
            lambda x, at, heard: network.denoise_each(x, at, told[:heard], inputs.size, inputs.aspect), process
        )
        return dpm(guided(both, GUIDANCE), inputs.latent, process.levels(STEPS))

    return draw


def their_sampling(network: Any, side: int, inputs: Inputs) -> Work:
    null_keep = torch.arange(LENGTH, device=DEVICE)[None] < 1
    twice = Inputs(side, 2, LENGTH, inputs.latent.dtype)
    twice.keep = torch.cat([null_keep, inputs.keep])

    @torch.no_grad()
    def draw() -> object:
        scheduler = DPMSolverMultistepScheduler()
        scheduler.set_timesteps(STEPS)
        x_t = inputs.latent
        for at in scheduler.timesteps:
            said = twice.say(network, x_t.repeat(2, 1, 1, 1), at.to(DEVICE).expand(2)).chunk(2, 1)[0]
            without, told_so = said.chunk(2)
            x_t = scheduler.step(without + GUIDANCE * (told_so - without), at, x_t, return_dict=False)[0]
        return x_t

    return draw


def sampling(side: int, real: int, _: float) -> dict[str, object]:
    """Seconds of one picture in 20 guided steps."""
    dtype = torch.bfloat16 if CUDA else torch.float32
    inputs = Inputs(side, 1, real, dtype)
    networks: list[Any] = []

    def ours() -> Work:
        networks.append(ours_at(side).to(dtype))
        return our_sampling(networks[0], inputs)

    def theirs() -> Work:
        networks.append(theirs_at(side).to(dtype))
        return their_sampling(networks[1], side, inputs)

    (mine, my_memory), (other, other_memory) = gibibytes(ours), gibibytes(theirs)
    found: dict[str, object] = {"gibibytes": [my_memory, other_memory], "eager": compare(mine, other)[1]}
    if CUDA:
        for block in networks[0].blocks:
            block.compile()
        networks[1].compile()
        found["compiled"] = compare(mine, other)[1]
    return found


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> None:
    scaled_dot_product_attention(q, k, v).sum().backward()  # type: ignore[no-untyped-call]


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
    cases: list[tuple[dict[str, object], Callable[[], dict[str, object]]]] = []
    if what in {"attention", "all"}:
        cases.append(({"case": "attention, ms"}, attention))
    for side in [64] if sizes == "tiny" else [int(word) for word in sizes.split(",")]:
        for full, real in REAL.items():
            for name, case in (("train", training), ("sample", sampling)):
                if what in {name, "all"}:
                    cases.append(({"case": name, "side": side, "captions": full}, partial(case, side, real, rate)))
    for told, work in cases:
        late = time.monotonic() - begun > limit
        found = {"left out": "no time"} if late else work()
        line = {**head, "bf16_tflops": round(rate, 1), **told, **found, "at_s": round(time.monotonic() - begun, 1)}
        print(json.dumps(line), flush=True)
        torch._dynamo.reset()
        if CUDA:
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main(*(word if index < 2 else float(word) for index, word in enumerate(sys.argv[1:])))  # type: ignore[arg-type]
