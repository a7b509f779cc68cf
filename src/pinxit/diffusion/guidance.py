"""Classifier-free guidance as a wrapper of a denoiser (Ho and Salimans 2022), where there is noise enough (Kynkäänniemi
et al. 2024, arXiv 2404.07724).
"""

from collections.abc import Callable, Sequence

from pinxit.diffusion.process import Denoise, Latent, Level, Prediction

DenoiseEach = Callable[[Latent, Level, int], Sequence[Prediction]]
"""What is predicted of the first so many: given the condition, given none."""


def guided(denoise_each: DenoiseEach, scale: float, above: float = 0.0) -> Denoise:
    """A denoiser that says null + scale (conditional - null) at levels whose sigma is `above` that, and what the
    conditional one says at the others; the log variance is the conditional one's.

    At one level eps, velocity and the clean latent are affine in each other, so guiding either is the same. With a
    scale of 1 it is the conditional denoiser itself, and no null one is needed. The published code guides three of four
    latent channels when it samples with iDDPM; here all are guided.
    """

    def denoise(x_t: Latent, level: Level) -> Prediction:
        asked, *null = denoise_each(x_t, level, 1 if scale == 1 or level.sigma <= above else 2)
        if not null:
            return asked
        return Prediction(null[0].clean + scale * (asked.clean - null[0].clean), asked.log_variance)

    return denoise
