"""Where files are: on this machine, or in a store with a URL, by pyarrow or fsspec."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, TypeVar

from facegauge.errors import MissingExtra, UsageError, in_one_line
from facegauge.outputs import sync

T = TypeVar("T")

SCHEME = "://"
PAUSES = (0.0, 0.5, 1.0, 2.0)
"""Seconds before each try of a request to a store."""


def is_url(name: str) -> bool:
    """Whether a name is a URL, such as s3://bucket/photos."""
    return SCHEME in name


def absolute(name: str) -> str:
    """The same place for processes in other folders."""
    return name if is_url(name) else os.path.abspath(name)  # noqa: PTH100  # links are not followed


@dataclass(frozen=True)
class Store:
    """A file system and a path in it. Every error is a `UsageError` of one line.

    Args:
        name: a path of this machine, or a URL.

    Raises:
        UsageError: nothing is known of such URLs.
        MissingExtra: pyarrow is not installed.
    """

    name: str

    @property
    def is_local(self) -> bool:
        return not is_url(self.name)

    @property
    def _place(self) -> tuple[Any, str]:
        """The file system, and the path as it has it."""
        if self.is_local:
            return _local_files(), absolute(self.name)
        scheme, _, rest = self.name.partition(SCHEME)
        host, _, inner = rest.partition("/")
        known = _file_system(scheme, host)
        if known is None:
            return _of_fsspec(self.name)
        files, root = known
        return files, f"{root.rstrip('/')}/{inner}".rstrip("/")

    @property
    def _path(self) -> str:
        return self._place[1]

    @property
    def _files(self) -> Any:
        return self._place[0]

    def __truediv__(self, inner: str) -> Store:
        return Store(f"{self.name.rstrip('/')}/{inner}")

    def read(self) -> bytes:
        """All bytes of the file."""

        def read() -> bytes:
            with self._files.open_input_stream(self._path) as file:
                return bytes(file.read())

        return self._do("read", read)

    def open(self) -> IO[bytes]:
        """The file, to be read from any place."""
        opened: IO[bytes] = self._do("read", lambda: self._files.open_input_file(self._path))
        return opened

    def write(self, data: bytes) -> None:
        """Make these bytes the file; elsewhere than on this machine it appears once it is whole."""

        def write() -> None:
            with self._files.open_output_stream(self._path) as file:
                file.write(data)
            if self.is_local:
                sync(Path(self._path))

        self._do("write", write)

    def replace(self, data: bytes) -> None:
        """Make these bytes the file, at once."""
        if not self.is_local:
            self.write(data)
            return
        fresh = Store(self.name + ".new")
        fresh.write(data)
        fresh.move(self)

    def move(self, target: Store) -> None:
        """Give the file another name in the same store."""

        def move() -> None:
            if self.is_local or self._kind() or not target._kind():  # moved before it failed
                self._files.move(self._path, target._path)
            if self.is_local:
                sync(Path(target._path).parent)

        target._do("write", move)

    def remove(self) -> None:
        """Remove the file, if it is there."""

        def remove() -> None:
            if self._kind() == "file":
                self._files.delete_file(self._path)

        self._do("write", remove)

    def make_folder(self) -> None:
        """Make the folder and those above it, if they are not there."""
        self._do("write", lambda: self._files.create_dir(self._path, recursive=True))

    @property
    def kind(self) -> str:
        """What is there: "file", "folder" or "" for nothing."""
        return self._do("read", self._kind)

    def entries(self) -> list[tuple[str, bool]]:
        """Names in the folder, sorted, and whether each is a folder; none if it is not there."""
        from pyarrow import fs

        def listed() -> Any:
            return self._files.get_file_info(fs.FileSelector(self._path, allow_not_found=True))

        found = self._do("read", listed)
        return sorted((info.base_name, info.type.name == "Directory") for info in found)

    def _kind(self) -> str:
        info = self._files.get_file_info(self._path)
        return {"File": "file", "Directory": "folder"}.get(info.type.name, "")

    def _do(self, what: str, call: Callable[[], T]) -> T:
        """What a call returns; in a store a failure that may pass is tried again."""
        for pause in (0.0,) if self.is_local else PAUSES:
            time.sleep(pause)
            try:
                return call()
            except UsageError:
                raise
            except FileNotFoundError as error:
                raise UsageError(f"cannot {what} {self.name}: no such file or folder") from error
            except Exception as error:  # of any file system
                failure = error
        reason = getattr(failure, "strerror", None) or in_one_line(failure)
        raise UsageError(f"cannot {what} {self.name}: {reason}") from failure


@cache
def _local_files() -> Any:
    try:
        from pyarrow import fs
    except ImportError as error:
        raise MissingExtra("reading and writing stores", "cluster") from error
    return fs.LocalFileSystem()


@cache
def _file_system(scheme: str, host: str) -> tuple[Any, str] | None:
    """The file system of pyarrow for such URLs, and the path of their root; None if it has none.

    Args:
        scheme: of the URLs.
        host: what follows, such as a bucket; its region or account is part of the file system.
    """
    _local_files()
    from pyarrow import ArrowInvalid, fs

    try:
        files, root = fs.FileSystem.from_uri(f"{scheme}{SCHEME}{host}/")
    except ArrowInvalid:
        return None
    return files, root


def _of_fsspec(url: str) -> tuple[Any, str]:
    """The file system of fsspec for a URL, and its path there.

    Raises:
        UsageError: fsspec is not installed, or does not know such URLs.
    """
    from pyarrow import fs

    scheme = url.partition(SCHEME)[0]
    try:
        from fsspec.core import url_to_fs

        files, path = url_to_fs(url)
    except ImportError as error:
        raise UsageError(f"{scheme}{SCHEME} needs another package: {error}") from error
    except Exception as error:
        raise UsageError(f"cannot use {scheme}{SCHEME}: {in_one_line(error)}") from error
    return fs.PyFileSystem(fs.FSSpecHandler(files)), path
