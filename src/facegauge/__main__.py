"""Entry point of the `facegauge` command and of `python -m facegauge`."""

from __future__ import annotations

import gc
import signal
import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command line; Ctrl-C at any moment, also during imports, ends it in one line.

    Garbage is not collected while modules are imported, nor when the process ends: there is none
    worth the time, a fifth of what the scoring of one picture takes in all.
    """
    gc.disable()
    interrupted = False

    def interrupt(number: int, frame: object) -> None:
        nonlocal interrupted
        interrupted = True
        if verbs := getattr(sys.modules.get("facegauge.cli.app"), "Verbs", None):
            verbs.interrupted = True
        raise KeyboardInterrupt

    if getattr(sys, "frozen", False):  # a program of PyInstaller, which is also its own processes
        from multiprocessing import freeze_support

        freeze_support()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)
    try:
        from facegauge.cli.app import Verbs
        from facegauge.cli.app import main as run

        try:
            run()
        except SystemExit:
            if interrupted and not Verbs.stopped:  # typer caught it, between its own steps
                raise KeyboardInterrupt from None
            raise
    except KeyboardInterrupt:
        if sys.stderr is not None:
            print("facegauge: stopped", file=sys.stderr)
        sys.exit(INTERRUPTED)
    finally:
        gc.freeze()
        if interrupted:  # once more while threads end: at once, without a traceback
            signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    main()
