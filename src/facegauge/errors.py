"""What can go wrong, for people: what was given, what was expected, what to do."""

NOT_A_NUMBER = "the scorer's network gave something that is not a number"


class FacegaugeError(Exception):
    """Base of every error that facegauge raises on purpose."""


class UsageError(FacegaugeError):
    """A call or command that cannot be carried out as it was given."""


class PictureError(FacegaugeError):
    """A picture that cannot be turned into pixels.

    `status` is the value that the picture's `ImageScore` carries.
    """

    def __init__(self, message: str, status: str = "unreadable") -> None:
        super().__init__(message)
        self.status = status


class ScorerError(FacegaugeError):
    """A scorer folder, model or card that is missing, damaged or does not fit."""


class MissingExtra(FacegaugeError):
    """An optional dependency is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the [{extra}] extra: pip install 'facegauge[{extra}]'")
        self.extra = extra
