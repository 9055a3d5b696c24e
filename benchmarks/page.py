"""The page that a benchmark writes: its tables in Markdown, and the environment it ran in."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("facegauge", "onnxruntime", "pillow", "numpy")


@dataclass(frozen=True)
class Table:
    """One table: a title, its rows, and a note on how to read it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    note: str = ""

    def markdown(self) -> str:
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        cells = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
        return "\n\n".join(part for part in (f"## {self.title}", self.note, cells) if part)


def arguments_for(doc: str | None) -> argparse.ArgumentParser:
    """The parser of a benchmark: its docstring is the help, and `--results` is there."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder for the page")
    return parser


def publish(
    name: str, title: str, intro: str, tables: Iterable[Table], folder: Path = RESULTS
) -> Path:
    """Print a page and write it to `folder/name.md`. Pages hold aggregate figures only."""
    parts = [f"# {title}", intro, *(table.markdown() for table in [*tables, conditions()])]
    text = "\n\n".join(parts) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.md"
    file.write_text(text, encoding="utf-8")
    print(text)
    return file


def conditions() -> Table:
    """The machine, the date, the versions and the commit."""
    rows = [
        ("date", datetime.now(UTC).strftime("%Y-%m-%d")),
        ("CPU", f"{cpu_model()}, {cpus()} cores"),
        ("load", f"{os.getloadavg()[0]:.1f} (1-minute average, including this benchmark)"),
        ("memory", f"{memory_gb():.0f} GB"),
        ("system", f"{platform.system()} {platform.machine()}"),
        ("python", platform.python_version()),
        *((package, version_of(package)) for package in PACKAGES),
        ("commit", commit()),
    ]
    return Table("Environment", ("item", "value"), rows)


def name_of(path: str | os.PathLike[str]) -> str:
    """The last two parts of a path: enough to identify the data, without the machine's folders."""
    return "/".join(Path(path).resolve().parts[-2:])


def cpus() -> int:
    """Cores that this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return usable or 1


def cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    for line in cpuinfo.read_text().splitlines() if cpuinfo.is_file() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def commit() -> str:
    """`git describe` of the tree; "-dirty" means that it differs from that commit."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    where = Path(__file__).parent
    told = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    return told.stdout.strip() or "unknown"
