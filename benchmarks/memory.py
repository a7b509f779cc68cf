"""The memory that `pinxit plan generate` foretells, beside what drawing took: PixArt-α's network at full size.

    python -m benchmarks.memory [FOLDER]

Weights are random and written to FOLDER (6 GB, temporary by default): network and KL autoencoder as published, a T5
as wide as XXL with four of its blocks. One picture of 256 pixels in one step, each way in a process of its own. One
JSON line in GiB: the peak planned; the most that was resident, with files that are mapped, and without them; and the
seconds that all of it took.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from tests.models.tiny import write_t5
from transformers import T5Config, T5EncoderModel

from pinxit.diffusion.config import IDDPMConfig
from pinxit.interop.diffusers import write_pipeline
from pinxit.interop.weights import Weights
from pinxit.ledger.meter import find_hardware
from pinxit.models.config import DiffusersAutoencoderConfig, TransformerConfig
from pinxit.models.config import T5Config as TextConfig
from pinxit.models.transformer import Transformer

DRAW = """
import sys, threading, time
peak = 0
def told(name):
    return int(next(l for l in open('/proc/self/status') if l.startswith(name)).split()[1]) * 1024
def watch():
    global peak
    while True:
        peak = max(peak, told('RssAnon'))
        time.sleep(0.005)
threading.Thread(target=watch, daemon=True).start()
sys.argv = ['pinxit', *sys.argv[1:]]
from pinxit.cli.main import main
try:
    main()
finally:
    print('PEAK', told('VmHWM'), peak)
"""


def build(folder: Path) -> None:
    """A pipeline of diffusers with random weights."""
    torch.manual_seed(0)
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    AutoencoderKL(
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4, **blocks
    ).save_pretrained(folder / "vae")
    write_t5(folder / "t5")
    (folder / "t5" / "model.safetensors").unlink()
    sizes = {"vocab_size": 32128, "d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 4, "num_heads": 64}
    text = T5EncoderModel(T5Config(feed_forward_proj="gated-gelu", **sizes))
    text.to(torch.bfloat16).save_pretrained(folder / "t5")
    config = TransformerConfig()
    weights = Weights(config, Transformer(config).state_dict(), None, "random")
    encoders = DiffusersAutoencoderConfig(folder=str(folder / "vae")), TextConfig(folder=str(folder / "t5"))
    write_pipeline(weights, folder / "pipeline", IDDPMConfig(), *encoders)


def run(*words: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", DRAW, *words], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def main(folder: Path) -> None:
    if not (folder / "pipeline").exists():
        build(folder)
    found = {}
    for memory in ("full", "offload", "8bit", "4bit"):
        source = ["--from", str(folder / "pipeline"), "--memory", memory]
        planned = next(line for line in run("plan", "generate", *source) if line.startswith("peak"))
        begun = time.monotonic()
        said = run("generate", "a red fox", *source, "--steps", "1", "--out", str(folder / "drawn"))
        took = round(time.monotonic() - begun)
        _, *measured = next(line for line in said if line.startswith("PEAK")).split()
        resident, unmapped = (round(int(number) / 2**30, 2) for number in measured)
        found[memory] = {
            "planned": float(planned.split()[1]), "resident": resident, "unmapped": unmapped, "s": took,
        }  # fmt: skip
    print(json.dumps({
        "benchmark": "memory", "torch": torch.__version__, "hardware": find_hardware().say(), "pixels": 256, **found,
    }))  # fmt: skip


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else temporary))
