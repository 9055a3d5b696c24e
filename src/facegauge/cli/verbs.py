"""The verbs, each of which is imported when it is asked for: the list of them needs none."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

SENTENCE = 200  # characters, at most

VERBS = {
    "score": "Score the faces in pictures, 0 (worst) to 1 (best).",
    "explain": "Explain a picture's scores: what is wrong with each face, and what moved its "
    "score.",
    "best": "Find the pictures with the best faces, best first.",
    "sheet": "Draw the worst and the best faces of a score table on one sheet.",
    "report": "Write a report on a score table: one HTML file, which fetches nothing.",
    "serve": "Score pictures over HTTP: a service for other programs, and a page for people.",
    "models": "List scorers: size, cost, agreement with labels (95 % intervals), licence.",
    "doctor": "Check the installation.",
    "data": "Check public data sets, write manifests of them, and work on lists.",
    "finetune": "Teach a finished scorer your own labels: 300 to 3,000 pictures, in minutes.",
    "train": "Train a scorer by one of the published methods, or by a recipe of your own.",
    "label": "Label pictures with a scorer's scores, to train another scorer on them.",
    "merge": "Join the tables of all shards to the table of one run.",
    "evaluate": "Evaluate a run, a scorer or a table: correlations and errors with bootstrap 95 % "
    "intervals.",
    "audit": "Compare the scores of groups of people: means, gaps, shares accepted, errors.",
    "edc": "Show how errors of face recognition fall when pairs of low quality are discarded.",
    "compare": "Compare two versions of the same pictures: means, differences, and what changed "
    "most.",
    "soup": "Average the weights of runs that started from the same weights (model soup).",
    "convert": "Make a run folder of the weights that a paper's authors published.",
    "export": "Write a scorer folder: an ONNX file, which training can start from too, and a card.",
    "calibrate": "Write a copy of a scorer whose percentiles and intervals are those of your "
    "pictures.",
    "quantize": "Write a copy of a scorer in int8: faster, with scores that differ by some "
    "thousandths.",
    "profile": "Show parameters, multiply-adds and latency for one face, and the challenge's "
    "limits.",
    "degrade": "Degrade a picture by blur, noise, light or compression.",
}
"""What the first paragraph of each verb's help says. Its module has a function or a Typer of its
name."""

ALIASES = {"average": "soup"}
"""Hidden verbs, and the modules that they are in."""

PLAIN: dict[str, Any] = {"add_completion": False, "rich_markup_mode": None}
"""Settings of every Typer: help and errors as plain text, which rich would take longer to import
than the rest takes to run."""


class Group(TyperGroup):
    """A verb with commands of its own, whose list says the whole first sentence of each."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, command.get_short_help_str(limit=SENTENCE))
                    for name, command in commands.items()
                    if command is not None and not command.hidden
                ]
            )


class Commands(MutableMapping[str, Any]):
    """The commands by name, as a group of typer holds them; made when they are first read."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = _command(name)
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        raise TypeError("verbs cannot be taken away")

    def __iter__(self) -> Iterator[str]:
        return iter((*VERBS, *ALIASES))

    def __len__(self) -> int:
        return len(VERBS) + len(ALIASES)


def _command(name: str) -> Any:
    if name not in VERBS and name not in ALIASES:
        raise KeyError(name)
    module = import_module(f"facegauge.cli.{ALIASES.get(name, name)}")
    verb = getattr(module, name)
    if isinstance(verb, typer.Typer):
        group = typer.main.get_command(verb)
        group.name = name
        return group
    alone = typer.Typer(**PLAIN)
    if name in ALIASES:
        rest = {"ignore_unknown_options": True, "allow_extra_args": True}
        alone.command(name, hidden=True, context_settings=rest)(verb)
    else:
        alone.command(name, epilog=getattr(module, "EPILOG", None))(verb)
    return typer.main.get_command(alone)
