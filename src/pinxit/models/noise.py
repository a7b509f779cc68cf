"""What other libraries say that concerns nobody: torchao's lines when it is imported, transformers' progress bars."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

NOISE = {
    "torchao": "Failed to load",  # kernels for other machines, which nothing here asks for
    "torch.utils._pytree": "%s is an Enum subclass",  # how torchao registers classes of its own
    "diffusers.quantizers.torchao.torchao_quantizer": "Unable to import `torchao`",  # classes that it has no more
}


@contextmanager
def hushed() -> Iterator[None]:
    """Within it these lines are not shown; all others are."""

    def keep(record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith(NOISE[record.name])

    loggers = [logging.getLogger(name) for name in NOISE]
    for logger in loggers:
        logger.addFilter(keep)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(keep)


@contextmanager
def without_bars() -> Iterator[None]:
    """Within it transformers shows no progress of its own."""
    from transformers.utils import logging as said

    was_shown = said.is_progress_bar_enabled()
    said.disable_progress_bar()
    try:
        yield
    finally:
        if was_shown:
            said.enable_progress_bar()
