"""The command line: one module a verb, each thin: parse, call, print."""

from facegauge.cli.app import app, main

__all__ = ["app", "main"]
