"""The exceptions. Their messages name what was given, what was expected, and what to do."""

import importlib.util

NOT_A_NUMBER = "the scorer's network returned a value that is not a number"


class FacegaugeError(Exception):
    """Base class of all errors that facegauge raises on purpose."""


class UsageError(FacegaugeError):
    """A call or command with arguments that are not valid."""


class ArgumentTypeError(UsageError, TypeError):
    """An argument of a type that the function does not take; the message names what it takes."""


class PictureError(FacegaugeError):
    """A picture that cannot be scored.

    Attributes:
        status: the value of the picture's `ImageScore.status`, such as `unreadable`.
    """

    def __init__(self, message: str, status: str = "unreadable") -> None:
        super().__init__(message)
        self.status = status


class ScorerError(FacegaugeError):
    """A scorer folder, model or card that is missing, damaged or not compatible."""


class MissingExtra(FacegaugeError):
    """An optional dependency is not installed.

    Attributes:
        extra: the extra of facegauge that installs it.
    """

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs {extra_to_install(extra)}")
        self.extra = extra


def extra_to_install(extra: str) -> str:
    """An extra of facegauge and the command that installs it, for messages."""
    return f"the extra [{extra}]: pip install 'facegauge[{extra}]'"


def in_one_line(error: Exception) -> str:
    """An unexpected exception, for a message."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def require(module: str, what: str, extra: str) -> None:
    """Check that an optional dependency is installed.

    Args:
        module: name of the module; it is not imported.
        what: what needs the module, for the message.
        extra: the extra of facegauge that installs it.

    Raises:
        MissingExtra: the module is not installed.
    """
    if importlib.util.find_spec(module) is None:
        raise MissingExtra(what, extra)
