"""The command line: one thin module per verb, which parses, calls and prints."""

from facegauge.cli.app import app, main

__all__ = ["app", "main"]
