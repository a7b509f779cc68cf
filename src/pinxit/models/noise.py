"""What torchao, and libraries that look for it, log when they are imported: nothing that concerns pinxit."""

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
