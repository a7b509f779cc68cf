"""Errors keep their kind and their message on the way to another process."""

import pickle

import pytest

from pinxit.errors import ConfigError, DataError, MissingExtra, PinxitError, Stopped


@pytest.mark.parametrize(
    "error",
    [
        ConfigError("a", 1, "it is odd", "say 2"), DataError("here", "it is torn", "copy it again"),
        MissingExtra("reading", "a thing", "pip install it"), Stopped(15, 7),
    ],
)  # fmt: skip
def test_an_error_comes_out_of_another_process_as_it_went_in(error: PinxitError) -> None:
    found = pickle.loads(pickle.dumps(error))
    assert type(found) is type(error)
    assert str(found) == str(error)
    assert vars(found) == vars(error)
