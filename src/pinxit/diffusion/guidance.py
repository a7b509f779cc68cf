"""Classifier-free guidance as a wrapper of a denoiser (Ho and Salimans 2022)."""

from pinxit.diffusion.process import Denoise, Latent, Level, Prediction


def guided(conditional: Denoise, unconditional: Denoise, scale: float) -> Denoise:
    """A denoiser that says null + scale (conditional - null); the log variance is the conditional one's.

    At one level eps, velocity and the clean latent are affine in each other, so guiding either is the same. A scale of
    1 is the conditional denoiser itself. The published code guides three of four latent channels when it samples with
    iDDPM; here all are guided.
    """
    if scale == 1:
        return conditional

    def denoise(x_t: Latent, level: Level) -> Prediction:
        asked, null = conditional(x_t, level), unconditional(x_t, level)
        return Prediction(null.clean + scale * (asked.clean - null.clean), asked.log_variance)

    return denoise
