"""Arguments of a verb from its words: settings become flags, pydantic's complaints become one line."""

from typing import TypeVar

import tyro
from pydantic import ValidationError

from pinxit.config import Config
from pinxit.errors import ConfigError

A = TypeVar("A", bound=Config)


def parse(arguments: type[A], verb: str, words: list[str], default: A | None = None) -> A:
    """The verb's arguments; a value that fails validation raises ConfigError with its full path."""
    try:
        if default is None:
            return tyro.cli(arguments, prog=verb, args=words, config=(tyro.conf.AvoidSubcommands,))
        return tyro.cli(arguments, prog=verb, args=words, default=default, config=(tyro.conf.AvoidSubcommands,))
    except ValidationError as error:
        raise from_pydantic(error) from error


def from_pydantic(error: ValidationError) -> ConfigError:
    """The first complaint of a validation, with the path of the field."""
    first = error.errors(include_url=False)[0]
    path = ".".join(map(str, first["loc"])) or error.title
    return ConfigError(path, first["input"], first["msg"], "change it")
