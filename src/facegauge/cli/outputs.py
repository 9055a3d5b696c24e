"""The option of the verbs that write files; what is refused is in `facegauge.outputs`."""

from __future__ import annotations

from typing import Annotated

import typer

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what exists")]
