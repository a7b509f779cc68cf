"""The solvers by name."""

from collections.abc import Callable, Mapping, Sequence

from pinxit.diffusion.process import Denoise, Latent, Level, Noise
from pinxit.diffusion.solver.ancestral import ancestral
from pinxit.diffusion.solver.consistency import consistency
from pinxit.diffusion.solver.ddim import ddim
from pinxit.diffusion.solver.dpm import dpm
from pinxit.diffusion.solver.sa import sa

DETERMINISTIC: Mapping[str, Callable[[Denoise, Latent, Sequence[Level]], Latent]] = {
    "ddim": ddim,
    "dpm": dpm,
    "euler": ddim,  # one formula; the name that users of flows look for
    "codi": ddim,  # on levels of the grid of distillation
}
STOCHASTIC: Mapping[str, Callable[[Denoise, Latent, Sequence[Level], Noise], Latent]] = {
    "ancestral": ancestral,
    "sa": sa,
    "consistency": consistency,
}


def solve(name: str, denoise: Denoise, x_t: Latent, levels: Sequence[Level], noise: Noise) -> Latent:
    """The clean latent by the solver of that name; deterministic ones leave `noise` alone."""
    if name in DETERMINISTIC:
        return DETERMINISTIC[name](denoise, x_t, levels)
    return STOCHASTIC[name](denoise, x_t, levels, noise)
