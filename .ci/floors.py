"""Prints the lowest versions that pyproject.toml allows, for pip.

    python .ci/floors.py [EXTRA ...]

One `name==version` a line, of the dependencies and of the named extras.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path


def main(extras: list[str]) -> None:
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    optional = project["optional-dependencies"]
    for wanted in [*project["dependencies"], *(one for extra in extras for one in optional[extra])]:
        match = re.fullmatch(r"([A-Za-z0-9_.-]+)>=([0-9.]+)", wanted)
        if not match:
            raise SystemExit(f"expected name>=version in pyproject.toml, got {wanted}")
        print("==".join(match.groups()))


if __name__ == "__main__":
    main(sys.argv[1:])
