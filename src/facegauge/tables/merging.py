"""Joins the tables of all shards of a list to the table that one run would have written."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facegauge.errors import MissingExtra, UsageError
from facegauge.outputs import check_free, make_folder_of
from facegauge.tables.cells import PATHS
from facegauge.tables.files import SUFFIXES, check_excel, suffix_of, table_rows, write_table
from facegauge.tables.formats import Row
from facegauge.tables.locks import hold
from facegauge.tables.notes import Notes, differences, other_columns, read_notes, write_notes
from facegauge.tables.shards import Shard, shard_of

NAMED = 20  # shards that are missing, in a message
SAME = 1e-3  # of the numbers of a curve, fitted on other machines to the same labels


@dataclass(frozen=True, slots=True)
class Part:
    """The finished table of one shard."""

    path: Path
    notes: Notes
    shard: Shard


@dataclass(slots=True)
class Merged:
    """What a merged table holds.

    Attributes:
        parts: number of tables.
        pictures: in them.
        rows: of these pictures.
    """

    parts: int
    pictures: int = 0
    rows: int = 0


def merge(
    out: str | os.PathLike[str],
    parts: Sequence[str | os.PathLike[str]],
    *,
    overwrite: bool = False,
) -> Merged:
    """Join the finished tables of all shards, of `score` or of `label`.

    The rows are those of one run over the whole list, and so are the notes, so that the table can
    be resumed as one. The shards follow one another by number; within one the order is its own.

    Args:
        out: appears once it is complete. Its suffix says the format; the parts may have others.
        parts: one table a shard, in any order.
        overwrite: replace `out`, if it is there.

    Raises:
        UsageError: a shard is missing or there twice; a part is not finished, has been changed
            since, or was made with other settings, columns or of another list; `out` exists; a row
            is not of its shard; something cannot be read or written. `out` is left as it was.
        MissingExtra: Parquet without pyarrow.
    """
    out, paths = Path(out), [Path(part) for part in parts]
    suffix_of(out)
    check_free([out], overwrite=overwrite)
    if any(path.resolve() == out.resolve() for path in paths):
        raise UsageError(f"{out} is one of the parts; write another table")
    found = _check(paths)
    first = found[0].notes
    excel = bool(first.settings.get("excel"))
    check_excel(out, excel)
    key = _key(found[0])
    if key == "image":
        suffix_of(out, (".csv", ".parquet"))
    assert first.schema is not None
    settings = {name: value for name, value in first.settings.items() if name != "shard"}
    more = {name: value for name, value in first.more.items() if name != "listing"}
    merged = Merged(len(found))
    make_folder_of(out)
    try:
        with found[0].path.open("rb") as file:
            hold(file, out)
            rows = _rows(found, key, out, merged)
            write_table(out, first.schema, rows, {"settings": settings, **more}, excel=excel)
            size = out.stat().st_size
            write_notes(out, Notes(settings, first.schema, size, more, finished=size))
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror or error}") from error
    return merged


def _check(paths: Sequence[Path]) -> list[Part]:
    """The parts by number; all that is wrong with them is in one message."""
    wrong: list[str] = []
    parts: list[Part] = []
    for path in paths:
        try:
            parts.append(_open(path))
        except (UsageError, MissingExtra) as error:
            wrong.append(str(error))
    parts.sort(key=lambda part: part.shard.number)
    for part in parts[1:]:
        wrong += [f"{part.path} does not go with {parts[0].path}: {why}"
                  for why in _unlike(parts[0], part)]  # fmt: skip
    wrong += _gaps(parts, len(paths))
    if wrong:
        raise UsageError(f"cannot merge: {'; '.join(wrong)}")
    return parts


def _open(path: Path) -> Part:
    suffix_of(path, SUFFIXES)
    if not path.exists():
        unfinished = path.with_name(path.name + ".partial.jsonl").exists()
        raise UsageError(_unfinished(path) if unfinished else f"there is no {path}")
    try:
        notes = read_notes(path)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    if "shard" not in notes.settings:
        raise UsageError(f"{path} is no shard, as --shard I/N makes them")
    if notes.finished is None:
        raise UsageError(_unfinished(path))
    if path.stat().st_size != notes.finished:
        raise UsageError(
            f"{path} has {path.stat().st_size} bytes, and had {notes.finished} when it was "
            "finished: it was cut or changed since"
        )
    return Part(path, notes, Shard.parse(str(notes.settings["shard"])))


def _unfinished(path: Path) -> str:
    return f"{path} is not finished: repeat its command with --resume"


def _unlike(first: Part, part: Part) -> list[str]:
    """Why two parts are not of one run."""
    old, new = ({**one.notes.settings, "shard": one.shard.count} for one in (first, part))
    why = [line.replace("shard was", "the number of shards was") for line in differences(old, new)]
    schemas = first.notes.schema, part.notes.schema
    if schemas[0] and schemas[1] and (names := other_columns(schemas[0], schemas[1])):
        why.append(f"it has other columns: {', '.join(names)}")
    lists = [one.notes.more.get("listing") for one in (first, part)]
    if lists[0] != lists[1]:
        why.append(f"it is of another list of pictures, {_shown(lists[1])}, not {_shown(lists[0])}")
    if not _close(first.notes.more.get("mapping"), part.notes.more.get("mapping")):
        why.append("its labels have another curve")
    if _key(part) == "image" and part.path.parent.resolve() != first.path.parent.resolve():
        why.append("it is in another folder, from which the names of its pictures start")
    return why


def _gaps(parts: Sequence[Part], given: int) -> list[str]:
    """Shards that are there twice, and those that no part is of."""
    wrong = []
    numbers = {part.shard.number: part for part in reversed(parts)}
    for part in parts:
        if (other := numbers[part.shard.number]) is not part:
            wrong.append(f"{other.path} and {part.path} are both shard {part.shard}")
    if not parts:
        return wrong if given else ["expected the tables of all shards, got none"]
    count = parts[0].shard.count
    if len(parts) == given and len(numbers) < count:
        missing = (str(number) for number in range(1, count + 1) if number not in numbers)
        shown = [number for number, _ in zip(missing, range(NAMED), strict=False)]
        rest = count - len(numbers) - len(shown)
        named = ", ".join(shown) + (f" and {rest} more" if rest else "")
        wrong.append(f"of {count} shards there is no part for {named}")
    return wrong


def _key(part: Part) -> str:
    """The column that names the pictures."""
    schema = part.notes.schema
    names = [name for name in PATHS if schema is not None and name in schema]
    if len(names) != 1:
        raise UsageError(f"{part.path} is neither a score table nor a table of labels")
    return names[0]


def _rows(parts: Sequence[Part], key: str, out: Path, merged: Merged) -> Iterator[Row]:
    """The rows of all parts, counted, with names as seen from the new table."""
    for part in parts:
        assert part.notes.schema is not None
        moved = key == "image" and part.path.parent.resolve() != out.parent.resolve()
        last = None
        try:
            for row in table_rows(part.path, part.notes.schema):
                name = row[key]
                if name != last or not row.get("face"):
                    _check_row(part, name)
                    merged.pictures += 1
                    last = name
                merged.rows += 1
                if moved:
                    row[key] = _seen_from(out.parent, part.path.parent / name)
                yield row
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{part.path} is damaged: {error}") from error


def _check_row(part: Part, name: str) -> None:
    if name not in part.shard:
        raise UsageError(
            f"{part.path} is shard {part.shard} and has {name}, which belongs to shard "
            f"{shard_of(name, part.shard.count)}"
        )


def _seen_from(folder: Path, picture: Path) -> str:
    full = os.path.abspath(picture)  # noqa: PTH100  # `resolve` follows links
    try:
        return Path(os.path.relpath(full, folder.resolve())).as_posix()
    except ValueError:  # on another drive
        return Path(full).as_posix()


def _shown(listing: Any) -> str:
    if not isinstance(listing, Mapping):
        return "which is not known"
    return f"{listing.get('pictures')} pictures with the digest {listing.get('digest')}"


def _close(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal, but for the last digits of their numbers."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_close(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_close, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=SAME)
    return bool(one == other)
