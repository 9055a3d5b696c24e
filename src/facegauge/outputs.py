"""Files and folders that are written: nothing is replaced unasked, and they appear whole or not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from facegauge.errors import UsageError


def check_output(
    output: str | os.PathLike[str] | None,
    inputs: Iterable[str | os.PathLike[str] | None] = (),
    suffixes: Sequence[str] = (),
    *,
    overwrite: bool = False,
) -> None:
    """Refuse a file that cannot be written, before anything is worked out; make its folder.

    Args:
        output: the file to write, if any.
        inputs: what is read; those that are not paths do not matter.
        suffixes: that the name may end in; any if empty.
        overwrite: whether a file that is there is replaced. One that is read never is.

    Raises:
        UsageError: it is a folder, has another suffix, is read, or exists; or its folder cannot be
            made.
    """
    if output is None:
        return
    output = Path(output)
    if output.is_dir():
        raise UsageError(f"{output} is a folder; expected the name of a file")
    if suffixes and output.suffix.lower() not in suffixes:
        listed = " or ".join(filter(None, [", ".join(suffixes[:-1]), suffixes[-1]]))
        raise UsageError(f"{output}: expected a name that ends in {listed}")
    for one in inputs:
        if one and output.exists() and Path(one).exists() and output.samefile(one):
            raise UsageError(f"{output} is what is read; choose another name to write to")
    check_free([output], overwrite=overwrite)
    make_folder_of(output)


def make_folder_of(output: Path) -> None:
    """Make the folder that a file is written to, with those above it, if it is not there.

    Raises:
        UsageError: it cannot be made.
    """
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"cannot make the folder {output.parent}: {reason}") from error


def check_free(outputs: Iterable[Path], *, overwrite: bool) -> None:
    """Refuse names that are taken, unless they may be replaced.

    Raises:
        UsageError: names the first.
    """
    taken = None if overwrite else next(filter(os.path.lexists, outputs), None)
    if taken is not None:
        raise UsageError(f"{taken} exists: replace it with --overwrite, or choose another name")


def check_new_folder(folder: Path, what: str) -> None:
    """Refuse a folder that is not empty.

    Args:
        what: that is written to it, such as "scorer".

    Raises:
        UsageError: it is in use, or the folder of the process.
    """
    used = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if used or folder.resolve() == Path.cwd():
        raise UsageError(f"{folder} is in use; choose a new folder for the {what}")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write, which takes the place of `path` once it is complete and on the disk.

    Its folder is made, if it is not there.
    """
    make_folder_of(path)
    fresh = path.with_name(path.name + ".new")
    try:
        yield fresh
        sync(fresh)
        fresh.replace(path)
        sync(path.parent)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill, which takes its name, new or of an empty folder, when all went well.

    Raises:
        UsageError: it cannot be made.
    """
    folder = folder.resolve()
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    try:
        yield partial
        if folder.exists():
            folder.rmdir()  # empty: the caller has looked
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def sync(path: Path) -> None:
    """Have the system write a file or the names in a folder to the disk, where it can."""
    try:
        # Windows needs a file that is open for writing, and has no such call for folders
        handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    except OSError:
        return
    try:
        with suppress(OSError):  # as some network file systems, which have no such call
            os.fsync(handle)
    finally:
        os.close(handle)
