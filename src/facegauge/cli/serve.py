"""`facegauge serve`: scores pictures over HTTP."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from facegauge.cli.doctor import EXTRAS
from facegauge.cli.score_options import Device, ScorerName
from facegauge.cli.terminal import say
from facegauge.errors import UsageError, require

EPILOG = (
    "FACEGAUGE_API_KEY in the environment is a key that requests have to show. Exit codes: 0 "
    "stopped by SIGTERM, with every accepted request answered; 2 wrong usage, such as a port that "
    "is taken or a scorer that is not there; 1 unexpected error; 130 stopped by Ctrl-C."
)
KEY = "FACEGAUGE_API_KEY"


def serve(
    *,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for all of this machine")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for a free one")
    ] = 8000,
    scorer: ScorerName = "mobile",
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=256,
            help="Worker processes, each on one thread  [default: one per CPU]",
            show_default=False,
        ),
    ] = None,
    device: Device = "cpu",
    max_body: Annotated[int, typer.Option(min=1, help="Largest body of a request, in MB")] = 64,
    max_files: Annotated[int, typer.Option(min=1, help="Pictures in one request")] = 32,
    max_memory: Annotated[
        int, typer.Option(min=1, help="Bodies of all requests in flight, in MB")
    ] = 512,
    max_pixels: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Do not open pictures with more pixels  [default: 120 million]",
            show_default=False,
        ),
    ] = None,
    max_connections: Annotated[int, typer.Option(min=1, help="Connections at a time")] = 512,
    queue: Annotated[
        int,
        typer.Option(
            min=1,
            help="Pictures that may be waiting or being scored; a request takes a place for each "
            "of its files, and is refused in whole (429) where they do not fit; at least "
            "--max-files",
        ),
    ] = 64,
    deadline: Annotated[
        float, typer.Option(min=0.1, help="Seconds for one picture, once a worker begins it")
    ] = 10,
    body_timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds until the body of a request has arrived")
    ] = 30,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN",
            help="Let pages of this origin, such as https://example.org, use the service from a "
            "browser; * for all pages; may be repeated",
            show_default=False,
        ),
    ] = None,
    get_web_runtime: Annotated[
        bool,
        typer.Option(
            "--get-web-runtime",
            help="Fetch onnxruntime-web 1.30.0 with npm, so that the page can score in the "
            "browser; then end",
        ),
    ] = False,
    export_static: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write the page for any web server, where it scores in the browser only; then end",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Score pictures over HTTP: a service for other programs, and a page for people."""
    for module in EXTRAS["serve"]:
        require(module, "facegauge serve", "serve")
    if get_web_runtime:
        from facegauge.serve import web_runtime

        say(f"onnxruntime-web is in {web_runtime.get()}")
    if export_static is not None:
        from facegauge.serve.static_page import export_static as write

        files = write(scorer, export_static)
        say(f"wrote {len(files)} files to {export_static}")
    if get_web_runtime or export_static is not None:
        return
    from facegauge.images.costs import MAX_PIXELS
    from facegauge.serve.limits import Limits
    from facegauge.serve.origins import checked_origins
    from facegauge.serve.server import serve as run

    key = checked_key(os.environ.get(KEY))
    origins = checked_origins(cors_origin or [])
    limits = Limits(
        max_body=max_body,
        max_memory=max_memory,
        max_files=max_files,
        max_pixels=max_pixels or MAX_PIXELS,
        max_connections=max_connections,
        queue=queue,
        deadline=deadline,
        body_timeout=body_timeout,
    )
    stopped_by = run(
        scorer,
        host=host,
        port=port,
        workers=workers or available_cpus(),
        limits=limits,
        key=key,
        origins=origins,
        device=device,
    )
    if stopped_by == signal.SIGINT:
        raise KeyboardInterrupt


def checked_key(key: str | None) -> str | None:
    """The key as it is; the messages do not repeat it.

    Raises:
        UsageError: no client could send it.
    """
    if key is None:
        return None
    if not key.strip():
        given = "nothing but spaces" if key else "an empty text"
    elif key.strip() != key:
        given = "a key with spaces around it"
    elif not (key.isascii() and key.isprintable()):
        given = "a key with other characters"
    else:
        return key
    raise UsageError(
        f"{KEY}: got {given}, expected a key of printable ASCII; unset {KEY} for a service without "
        "a key"
    )


def available_cpus() -> int:
    """CPUs that this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return usable or 1
