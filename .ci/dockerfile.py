"""Runs what the Dockerfile says, without an engine.

    python .ci/dockerfile.py FOLDER

FOLDER is empty; it takes what a build would put into an image. Each stage gets a fresh environment
in place of its base image, and the files that `.dockerignore` lets through. The commands run as
they stand there; then the service starts as the user of the image, who can write nowhere, and is
checked by the image's own health check. As root; elsewhere it runs as the present user.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
KNOWN = {
    *("FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "EXPOSE"),
    *("STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"),
}


def main(folder: Path) -> None:
    folder.chmod(0o755)  # the service runs as another user
    said: dict[str, str] = {}
    environment = dict(os.environ)
    for word, rest in instructions((ROOT / "Dockerfile").read_text(encoding="utf-8")):
        assert word in KNOWN, f"an instruction that is not known: {word}"
        if word == "FROM":
            stage = folder / f"stage{len(list(folder.glob('stage*')))}"
            environment = fresh_environment(stage)
        elif word == "COPY":
            assert rest == ". .", rest
            copy_context(folder / "src")
        elif word == "RUN":
            run(rest, folder, environment)
        elif word == "ENV":
            environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))
        said[word] = rest
    assert int(said["USER"]) > 0, "the service must not run as root"
    start(said, environment)


def instructions(text: str) -> Iterator[tuple[str, str]]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if line.strip():
            word, rest = line.split(maxsplit=1)
            yield word, rest


def fresh_environment(stage: Path) -> dict[str, str]:
    subprocess.run([sys.executable, "-m", "venv", stage], check=True)
    path = f"{stage / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def copy_context(target: Path) -> None:
    """The files under version control that `.dockerignore` names with an exclamation mark."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "*", "expected .dockerignore to leave out what it does not name"
    kept = [line[1:] for line in lines if line.startswith("!")]
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *kept],
                            cwd=ROOT, capture_output=True, text=True, check=True)  # fmt: skip
    for name in listed.stdout.splitlines():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target / name)


def run(command: str, folder: Path, environment: dict[str, str]) -> None:
    command = re.sub(r"^(--mount=\S+\s+)+", "", command)
    command = re.sub(r"(?<!\S)/wheels\b", str(folder / "wheels"), command)
    work = folder / "src"
    subprocess.run(command, shell=True, cwd=work, env=environment, check=True)


def start(said: dict[str, str], environment: dict[str, str]) -> None:
    check = re.sub(r"^.*?CMD\s*", "", said["HEALTHCHECK"])
    command = json.loads(said["ENTRYPOINT"]) + json.loads(said["CMD"])
    place = shutil.which(command[0], path=environment["PATH"])
    assert place, f"{command[0]} is not in the image"
    user = ["--user", said["USER"]] if os.geteuid() == 0 else []
    script = [sys.executable, str(ROOT / ".ci" / "serve_once.py"), *user, "--healthy", check]
    subprocess.run([*script, place, *command[1:]], env=environment, cwd="/", check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
