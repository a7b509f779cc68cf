"""Classifier-free guidance as a wrapper of a denoiser (Ho and Salimans 2022)."""

from collections.abc import Callable, Sequence

from pinxit.diffusion.process import Denoise, Latent, Level, Prediction

DenoiseEach = Callable[[Latent, Level], Sequence[Prediction]]  # given the condition, and, if guided, given none


def guided(denoise_each: DenoiseEach, scale: float) -> Denoise:
    """A denoiser that says null + scale (conditional - null); the log variance is the conditional one's.

    At one level eps, velocity and the clean latent are affine in each other, so guiding either is the same. With a
    scale of 1 it is the conditional denoiser itself, and no null one is needed. The published code guides three of four
    latent channels when it samples with iDDPM; here all are guided.
    """

    def denoise(x_t: Latent, level: Level) -> Prediction:
        asked, *null = denoise_each(x_t, level)
        if scale == 1:
            return asked
        return Prediction(null[0].clean + scale * (asked.clean - null[0].clean), asked.log_variance)

    return denoise
