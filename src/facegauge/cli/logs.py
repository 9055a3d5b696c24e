"""The library's log records as messages on stderr."""

from __future__ import annotations

import logging

from facegauge.cli.terminal import say


class _LogLines(logging.Handler):
    """Prints the library's log records as messages."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


def show_logs() -> None:
    """Print the library's log records on stderr, from level INFO."""
    logger = logging.getLogger("facegauge")
    logger.setLevel(logging.INFO)
    if not any(isinstance(handler, _LogLines) for handler in logger.handlers):
        logger.addHandler(_LogLines())
