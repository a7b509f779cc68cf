"""What `pinxit plan` foretells beside what training took: a small version of the recipe that ships, on this machine.

    python -m benchmarks.plan [PICTURES] [BLOCKS] [processor]

The emoji recipe's three stages with one style, so many PICTURES in each (1,536), a network of so many BLOCKS (6, as it
ships), and batches of 64. The machine is calibrated first, then the recipe is planned, then trained in a process of
its own, without scoring or drawing. One JSON line: for each stage the seconds of training and of encoding and the bytes
of memory, planned and measured, with their ratio; and the processor time of others meanwhile, in cores.
On a busy machine say `processor`: all seconds are then the process's own. It wants OMP_NUM_THREADS=1.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from pinxit.ledger.machine import HERE, find_machine
from pinxit.ledger.meter import find_hardware
from pinxit.ledger.report import bill
from pinxit.recipes.calibrate import Rates, calibrate
from pinxit.recipes.emoji import shipped
from pinxit.recipes.plan import plan
from pinxit.recipes.recipe import Recipe
from pinxit.recipes.table import dump_recipe

TRAIN = """
import sys, time
if sys.argv[3] == "processor":
    time.perf_counter = time.process_time
from pathlib import Path
from pinxit.recipes.course import Course
from pinxit.recipes.table import load_recipe
Course(load_recipe(sys.argv[1]), Path(sys.argv[2])).run()
"""


def small(pictures: int, blocks: int) -> Recipe:
    """The shipped recipe, shorter."""
    base = shipped()
    stages = {}
    for name, stage in base.stages.items():
        data = stage.data.model_copy(update={"styles": ("Fxemoji",), "pictures": 256})
        optimizer = stage.optimizer.model_copy(update={"warmup": 0})
        changes = {"data": data, "images": pictures, "batch": 64, "optimizer": optimizer}
        stages[name] = stage.model_copy(update=changes)
    network = base.network.model_copy(update={"depth": blocks})
    return base.model_copy(update={"name": "plan", "stages": stages, "network": network})


def busy() -> float:
    """Seconds that all processors of this machine have worked."""
    user, nice, system, *_ = map(int, Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def beside(planned: float, measured: float) -> dict[str, float]:
    return {
        "planned": float(f"{planned:.4g}"), "measured": float(f"{measured:.4g}"),
        "ratio": round(planned / measured, 3),
    }  # fmt: skip


def main(pictures: str = "1536", blocks: str = "6", clock: str = "wall") -> None:
    recipe = small(int(pictures), int(blocks))
    if clock == "processor":
        time.perf_counter = time.process_time
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        machine = find_machine(HERE)
        rates = Rates(machine, home / "rates.jsonl")
        begun = time.perf_counter()
        calibrate(recipe, rates)
        calibrating = time.perf_counter() - begun
        found = plan(recipe, machine, rate_of=rates)
        (home / "recipe.yaml").write_text(dump_recipe(recipe), encoding="utf-8")
        begun, others = time.monotonic(), busy() - sum(os.times()[:4])
        command = [sys.executable, "-c", TRAIN, str(home / "recipe.yaml"), str(home / "run"), clock]
        subprocess.run(command, check=True, stdout=sys.stderr)
        seconds, others = time.monotonic() - begun, busy() - sum(os.times()[:4]) - others
        taken = bill(home / "run")
    rows, items = {}, {(item.stage, item.phase): item for item in taken.items}
    for stage in found.stages:
        trained = items[stage.stage, "train"]
        rows[stage.stage] = {
            "training_s": beside(stage.training.seconds, trained.seconds),
            "memory_bytes": beside(stage.peak, trained.peak_accelerator_bytes or trained.peak_bytes),
        }
        if stage.encoding is not None and stage.encoded:
            encoded = items[stage.stage, "encode"]
            rows[stage.stage]["encoding_s"] = beside(stage.encoding.seconds, encoded.seconds)
    planned = sum(stage.training.seconds for stage in found.stages)
    measured = sum(items[stage.stage, "train"].seconds for stage in found.stages)
    print(json.dumps({
        "benchmark": "plan", "torch": torch.__version__, "hardware": find_hardware().say(),
        "threads": torch.get_num_threads(), "clock": clock, "pictures": int(pictures), "blocks": int(blocks),
        "calibrating_s": round(calibrating, 1), "others_cores": round(others / seconds, 2),
        "training_s": beside(planned, measured), "stages": rows,
    }))  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
