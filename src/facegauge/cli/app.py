"""The `facegauge` command: its verbs, and the exit codes of errors."""

from __future__ import annotations

import errno
import gc
import os
import sys
import warnings
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from facegauge.cli.progress import display_for_stderr
from facegauge.cli.streams import escape_unprintable, open_missing_streams
from facegauge.cli.terminal import say
from facegauge.cli.verbs import PLAIN, VERBS, Commands
from facegauge.errors import FacegaugeError
from facegauge.progress import shown_by

UNEXPECTED, WRONG_USAGE, INTERRUPTED, BROKEN_PIPE = 1, 2, 130, 141


class Verbs(TyperGroup):
    """Runs a verb, and turns its exceptions into a message on stderr and an exit code."""

    interrupted = False  # whether there was a Ctrl-C
    stopped = False  # whether a message said so

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "commands": Commands()})

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            say(": ".join(["stopped", *map(str, error.args)]))
            Verbs.stopped = True
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # the reader has closed the pipe: no message, and nothing to flush at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(BROKEN_PIPE) from None
        except Exception as error:
            if isinstance(error, typer.Abort) or hasattr(error, "exit_code"):
                raise  # an exception of typer, such as a wrong option, has its own exit code
            if self.interrupted:  # which some extension modules turn into errors of their own
                say("stopped")
                Verbs.stopped = True
                raise typer.Exit(INTERRUPTED) from None
            if ctx.params.get("debug"):
                import traceback

                traceback.print_exc()
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                place = f" at {error.filename}" if error.filename else ""
                say(f"the disk is full{place}: make room, then repeat the command with --resume")
                raise typer.Exit(UNEXPECTED) from None
            if isinstance(error, FacegaugeError):
                say(str(error))
                raise typer.Exit(WRONG_USAGE) from None
            say(
                f"unexpected {type(error).__name__}: {error}; "
                "for the traceback, run again with --debug before the verb"
            )
            raise typer.Exit(UNEXPECTED) from None


app = typer.Typer(
    name="facegauge",
    cls=Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    **PLAIN,
)


def _print_version(asked: bool) -> None:
    if asked:
        from facegauge import __version__

        typer.echo(f"facegauge {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit", callback=_print_version, is_eager=True
        ),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", envvar="FACEGAUGE_DEBUG", help="Show tracebacks of errors"),
    ] = False,
) -> None:
    """Perceptual face image quality, 0 to 1: offline, in milliseconds.

    Exit codes of all verbs: 0 done; 1 unexpected error; 2 wrong usage; 130 stopped by Ctrl-C.
    """
    if not gc.isenabled():  # see `__main__`
        gc.freeze()  # what is imported by now stays
        gc.enable()
    from facegauge.cli.logs import show_logs  # logging is slow to import

    show_logs()
    context.with_resource(shown_by(display_for_stderr()))
    if not debug:
        warnings.simplefilter("ignore")  # such as Pillow's on a damaged EXIF block


def main() -> None:
    """Entry point of the `facegauge` command."""
    open_missing_streams()
    escape_unprintable()
    app()
