"""What does an install download, how much disk does it take, and how long does it last?

Each extra of pyproject.toml is downloaded and installed in a fresh environment. Reported are the
wheels downloaded, the size of the environment beside Python, and the seconds of CPU that pip needs
to install what was downloaded. The downloads themselves depend on the connection and are not timed.

    pip wheel . --no-deps -w dist
    python benchmarks/install_size.py dist/facegauge-*.whl

The default build of torch for Linux brings the libraries of CUDA. `--also torch==VERSION+cpu` takes
another build, for the extras that bring torch; "no torch" extras do not get it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

from page import RESULTS, Table, publish

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
LEFT_OUT = ("dev", "docs")  # for those who work on facegauge
MB = 1e6


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    wheel = options.wheel.resolve()
    extras = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    rows = []
    for extra in ["", *(name for name in extras if name not in LEFT_OUT)]:
        wanted = [f"{wheel}[{extra}]" if extra else str(wheel)]
        if any(name.startswith("torch>") for name in extras.get(extra, ())):
            wanted += options.also
        with tempfile.TemporaryDirectory() as folder:
            rows.append([f"`[{extra}]`" if extra else "none", *measured(wanted, Path(folder))])
    columns = ("extra", "packages", "download, MB", "on disk, MB", "CPU, s")
    also = f" Extras that bring torch take {', '.join(options.also)}." if options.also else ""
    intro = (
        "Each extra in a fresh environment, with all that it depends on. Sizes are sums of files, "
        f"without pip; CPU: seconds of pip's on one core, for files that are there, once.{also}"
    )
    table = Table("Sizes", columns, rows)
    publish("install-size", "What an install takes", intro, [table], options.results)


def measured(wanted: Sequence[str], folder: Path) -> list[str]:
    """How many packages, MB of wheels, MB on disk, seconds."""
    downloads, environment = folder / "downloads", folder / "environment"
    pip(["wheel", "--wheel-dir", str(downloads), *wanted])  # of sources too
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    before, start = size(environment), seconds_of_children()
    offline = ["--no-index", "--no-cache-dir", "--find-links", str(downloads)]
    pip(["--python", str(environment / "bin" / "python"), "install", *offline, *wanted])
    seconds = seconds_of_children() - start
    files = list(downloads.iterdir())
    taken = size(environment) - before
    return [str(len(files)), f"{size(downloads) / MB:.0f}", f"{taken / MB:.0f}", f"{seconds:.0f}"]


def seconds_of_children() -> float:
    """CPU time of all processes that this one has started and that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def pip(words: Sequence[str]) -> None:
    """Run pip, which says what is wrong; --find-links of its settings stay."""
    subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words], check=True
    )


def size(folder: Path) -> int:
    """Bytes of all files, links left out."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("wheel", type=Path, help="facegauge as a wheel")
    parser.add_argument("--also", nargs="+", default=[], metavar="NAME==VERSION",
                        help="builds for the extras that bring torch")  # fmt: skip
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the page")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
