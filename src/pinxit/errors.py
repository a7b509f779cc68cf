"""What can go wrong, said so that a person can act: where, what was found, what is wrong, what to do."""


class PinxitError(Exception):
    """Everything that pinxit raises on purpose; the command line prints it without a traceback."""

    def __reduce__(self) -> tuple[object, ...]:
        """The message goes to another process, not the parts that it was made of."""
        return Exception.__new__, (type(self), *self.args), vars(self)


class ConfigError(PinxitError):
    """A setting that cannot work, with its full path."""

    def __init__(self, field: str, found: object, problem: str, remedy: str) -> None:
        super().__init__(f"{field} = {found!r}: {problem}; {remedy}")


class DataError(PinxitError):
    """A data set, cache or download that cannot be used as it is."""

    def __init__(self, place: object, problem: str, remedy: str) -> None:
        super().__init__(f"{place}: {problem}; {remedy}")


class CheckpointError(PinxitError):
    """A checkpoint or weights file that does not fit what it is loaded into."""

    def __init__(self, place: object, problem: str, remedy: str) -> None:
        super().__init__(f"{place}: {problem}; {remedy}")


class DivergenceError(PinxitError):
    """A loss or gradient that is not finite: the run stops and says where."""

    def __init__(self, place: str, problem: str, remedy: str) -> None:
        super().__init__(f"{place}: {problem}; {remedy}")


class MissingExtra(PinxitError):  # noqa: N818  (named for what the user lacks)
    """A part of pinxit that was not installed, with the command that installs it."""

    def __init__(self, purpose: str, package: str, command: str) -> None:
        super().__init__(f"{purpose} needs {package}, which is not installed; run: {command}")


class Stopped(PinxitError):  # noqa: N818  (not an error: somebody asked)
    """A run that was asked to stop and has saved itself; the exit status is 128 + the signal, 0 without one.

    `why` is said where no signal was sent, as of a budget that is spent.
    """

    def __init__(self, signal: int, seen: int, *, unit: str = "pictures", why: str = "") -> None:
        self.signal = signal
        super().__init__(f"{why}{': ' * bool(why)}stopped and saved at {seen} {unit} seen")
