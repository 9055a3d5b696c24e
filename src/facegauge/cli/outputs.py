"""Files that verbs write, checked before anything is worked out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from facegauge.errors import UsageError


def check_output(
    output: Path | None, inputs: Iterable[Path | str | None], suffixes: Sequence[str] = (".json",)
) -> None:
    """Refuse a file that cannot be written, has another kind of name, or is one of the inputs.

    Args:
        output: the file to write, if any.
        inputs: what the verb reads; those that are not paths do not matter.
        suffixes: that the name may end in.

    Raises:
        UsageError: says which of these it is.
    """
    if output is None:
        return
    if output.is_dir():
        raise UsageError(f"{output} is a folder; expected the name of a file")
    if output.suffix.lower() not in suffixes:
        listed = " or ".join(filter(None, [", ".join(suffixes[:-1]), suffixes[-1]]))
        raise UsageError(f"{output}: expected a name that ends in {listed}")
    if not output.parent.is_dir():
        raise UsageError(f"there is no folder {output.parent} to write {output.name} to")
    for one in inputs:
        if one and output.exists() and Path(one).exists() and output.samefile(one):
            raise UsageError(f"{output} is what is read; choose another name to write to")
