"""Writes docs/cli/ from the code: every verb, option, default and help text, a page a verb.

    python docs/make_cli.py

The test `tests/test_docs.py` fails when the folder is not what this script writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from facegauge.cli import app

FOLDER = Path(__file__).parent / "cli"
HEAD = """\
# The command line

These pages are written by `python docs/make_cli.py` from the code. Do not edit them by hand.
Each verb says the same with `--help`.
"""


def pages() -> dict[str, str]:
    """The pages of docs/cli by their names."""
    verbs = [(path, command) for path, command in commands() if path]
    rows = [
        f"| [facegauge {' '.join(path)}]({_name(path)}) | {_first(one)} |" for path, one in verbs
    ]
    table = "\n".join(["| verb | |", "|---|---|", *rows])
    first = f"{HEAD}\n{_top(get_command(app))}\n{table}\n"
    return {"README.md": first, **{_name(path): _section(path, one) for path, one in verbs}}


def write(folder: Path, texts: dict[str, str]) -> None:
    """Make a folder hold these pages and no other ones."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.md"):
        old.unlink()
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group of commands with its verbs: () is `facegauge` itself."""

    def below(path: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
        yield path, command
        for verb, inner in getattr(command, "commands", {}).items():
            if not inner.hidden:
                yield from below((*path, verb), inner)

    return below((), get_command(app))


def arguments(command: Any) -> list[Any]:
    return [p for p in command.params if p.param_type_name == "argument"]


def options(command: Any) -> list[Any]:
    return [p for p in command.params if p.param_type_name == "option"]


def _top(command: Any) -> str:
    """`facegauge` itself: its options come before the verb."""
    return f"{_prose(command.help)}\n\nOptions before the verb:\n\n{_listed(options(command))}\n"


def _section(path: tuple[str, ...], command: Any) -> str:
    parts = [f"# facegauge {' '.join(path)}", _prose(command.help)]
    if hasattr(command, "commands"):
        verbs = ", ".join(f"[{verb}]({_name((*path, verb))})" for verb in command.commands)
        parts.append(f"Its verbs: {verbs}.")
        if options(command):
            parts.append(f"In place of a verb:\n\n{_listed(options(command))}")
        return "\n\n".join(parts) + "\n"
    required = [f"{min(p.opts, key=len)} {_value(p)}" for p in options(command) if p.required]
    places = [_value(p) for p in arguments(command)]
    optional = "[OPTIONS]" if len(required) < len(options(command)) else ""
    usage = " ".join(filter(None, ["facegauge", *path, *places, *required, optional]))
    parts.append(f"```\n{usage}\n```")
    parts += [_listed(group) for group in (arguments(command), options(command)) if group]
    parts += [_prose(command.epilog)] if command.epilog else []
    return "\n\n".join(parts) + "\n"


def _listed(parameters: list[Any]) -> str:
    return "\n".join(_line(parameter) for parameter in parameters)


def _line(parameter: Any) -> str:
    """A list entry: `-o, --option VALUE` (default `x`): help."""
    argument = parameter.param_type_name == "argument"
    takes = "" if argument or getattr(parameter, "is_flag", False) else f" {_value(parameter)}"
    shown = _value(parameter) if argument else _names(parameter) + takes
    notes = []
    if parameter.required and not argument:
        notes.append("required")
    default = parameter.default
    if isinstance(default, str | int | float) and not isinstance(default, bool) and default != "":
        notes.append(f"default `{default}`")
    if parameter.envvar:
        notes.append(f"or the environment variable `{parameter.envvar}`")
    note = f" ({', '.join(notes)})" if notes else ""
    return f"- `{shown}`{note}: {_prose(parameter.help or '')}"


def _name(path: tuple[str, ...]) -> str:
    """The page of a verb."""
    return f"{'-'.join(path)}.md"


def _first(command: Any) -> str:
    """The first sentence of a verb's help."""
    return _prose(command.help).split("\n\n")[0].split(". ")[0].removesuffix(".")


def _names(option: Any) -> str:
    return ", ".join(sorted(option.opts, key=len))


def _value(parameter: Any) -> str:
    value = str(parameter.metavar or parameter.name.strip("_").upper())
    return f"{value}..." if parameter.nargs == -1 else value


def _prose(text: str) -> str:
    """Paragraphs, each in one line."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))


if __name__ == "__main__":
    write(FOLDER, pages())
