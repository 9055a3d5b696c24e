"""onnxruntime-web, which runs networks in browsers: fetched once, on demand, and checked.

It is not part of facegauge: three files of the npm package onnxruntime-web (MIT licence), 14.3 MB.
They lie in the data folder of the user.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from facegauge.errors import FacegaugeError

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
MODULE, GLUE, WASM = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
)
SHA256 = {
    MODULE: "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
    GLUE: "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    WASM: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
PATIENCE = 600  # seconds for npm


def folder() -> Path:
    """Where the files lie, whether they are there or not."""
    return _data_folder() / "facegauge" / f"{PACKAGE}-{VERSION}"


def find() -> dict[str, Path] | None:
    """The files by their names; None unless all are there and sound."""
    files = {name: folder() / name for name in SHA256}
    sound = (_is_sound(name, path) for name, path in files.items())
    return files if all(sound) else None


def get() -> Path:
    """Fetch the files with npm, unless they are there.

    Returns:
        Their folder.

    Raises:
        FacegaugeError: without npm, or npm fails, or the files are others than expected.
    """
    target = folder()
    if find() is not None:
        return target
    npm = shutil.which("npm")
    if npm is None:
        raise FacegaugeError(
            f"npm is not installed; put {', '.join(SHA256)} from the folder dist of the npm "
            f"package {PACKAGE} {VERSION} into {target}"
        )
    with tempfile.TemporaryDirectory(prefix="facegauge-") as place:
        files = _unpacked(_packed(npm, Path(place)))
        try:
            target.mkdir(parents=True, exist_ok=True)
            for name, data in files.items():
                part = target / f"{name}.part"
                part.write_bytes(data)
                part.replace(target / name)
        except OSError as error:
            raise FacegaugeError(f"cannot write to {target}: {error.strerror or error}") from error
    return target


def _packed(npm: str, place: Path) -> Path:
    """The package as npm gives it."""
    command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--pack-destination", str(place), "--silent"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=place, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FacegaugeError(f"npm pack {PACKAGE}@{VERSION} failed: {error}") from error
    found = sorted(place.glob("*.tgz"))
    if done.returncode or not found:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        said = lines[-1] if lines else f"exit code {done.returncode}"
        raise FacegaugeError(f"npm pack {PACKAGE}@{VERSION} failed: {said}")
    return found[0]


def _unpacked(package: Path) -> dict[str, bytes]:
    """The files that are needed, checked; nothing else is taken out of the package."""
    files = {}
    try:
        with tarfile.open(package) as archive:
            for name in SHA256:
                member = archive.extractfile(f"package/dist/{name}")
                files[name] = member.read() if member else b""
    except (tarfile.TarError, KeyError, OSError) as error:
        raise FacegaugeError(f"the package {PACKAGE} {VERSION} cannot be read: {error}") from error
    for name, data in files.items():
        found = hashlib.sha256(data).hexdigest()
        if found != SHA256[name]:
            raise FacegaugeError(
                f"{name} of {PACKAGE} {VERSION} has the sha256 {found}, expected {SHA256[name]}; "
                "it was not kept"
            )
    return files


def _is_sound(name: str, path: Path) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == SHA256[name]
    except OSError:
        return False


def _data_folder() -> Path:
    """Where programs keep data of a user."""
    if os.name == "nt" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    given = os.environ.get("XDG_DATA_HOME", "")
    return Path(given) if Path(given).is_absolute() else Path.home() / ".local" / "share"
