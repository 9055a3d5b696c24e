"""Runs what the Dockerfile says, without an engine.

    python .ci/dockerfile.py FOLDER

FOLDER is empty; it takes what a build would put into an image. Each stage gets a fresh environment
in place of its base image, and the files that `.dockerignore` lets through. The commands run as
they stand there. Then each image is used as its user, who can write nowhere but in a mounted
folder: the service starts and is checked by the image's own health check; the command line scores.
As root; elsewhere all runs as the present user.
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
from tempfile import TemporaryDirectory

from serve_once import may_run

ROOT = Path(__file__).parents[1]
KNOWN = {
    *("FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "EXPOSE"),
    *("STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"),
}


def main(folder: Path) -> None:
    folder.chmod(0o755)  # the images' user is another one
    for stage in stages((ROOT / "Dockerfile").read_text(encoding="utf-8")):
        said, environment = built(stage, folder)
        if "ENTRYPOINT" in said:
            assert int(said["USER"]) > 0, "an image must not run as root"
            use = start if "HEALTHCHECK" in said else score
            use(said, environment)


def stages(text: str) -> Iterator[list[tuple[str, str]]]:
    """The instructions of each stage."""
    stage: list[tuple[str, str]] = []
    for word, rest in instructions(text):
        assert word in KNOWN, f"an instruction that is not known: {word}"
        if word == "FROM" and stage:
            yield stage
            stage = []
        stage.append((word, rest))
    yield stage


def built(stage: list[tuple[str, str]], folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """A stage's last instruction of each kind, and the environment of its image."""
    place = folder / f"stage{len(list(folder.glob('stage*')))}"
    environment = fresh_environment(place)
    for word, rest in stage:
        if word == "COPY":
            assert rest == ". .", rest
            copy_context(folder / "src")
        elif word == "RUN":
            run(rest, folder, environment)
        elif word == "ENV":
            environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))
    return dict(stage), environment


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
    command = entry(said, environment) + json.loads(said["CMD"])
    user = ["--user", said["USER"]] if os.geteuid() == 0 else []
    script = [sys.executable, str(ROOT / ".ci" / "serve_once.py"), *user, "--healthy", check]
    subprocess.run([*script, *command], env=environment, cwd="/", check=True)


def score(said: dict[str, str], environment: dict[str, str]) -> None:
    """The command line on a folder with the examples, which stands for the mounted one."""
    command = entry(said, environment)
    subprocess.run([*command, *json.loads(said["CMD"])], env=environment, cwd="/", check=True)
    with TemporaryDirectory() as mounted:
        for picture in (ROOT / "examples").glob("*.jpg"):
            shutil.copy(picture, mounted)
        user = int(said["USER"]) if may_run(int(said["USER"]), command[0]) else None
        if user is not None:
            os.chown(mounted, user, -1)
        environment = {**environment, "HOME": "/nonexistent"}
        for words in (["score", ".", "-o", "scores.parquet"],
                      ["report", "scores.parquet", "-o", "report.html"]):  # fmt: skip
            subprocess.run([*command, *words], user=user, env=environment, cwd=mounted, check=True)
        assert Path(mounted, "report.html").stat().st_size


def entry(said: dict[str, str], environment: dict[str, str]) -> list[str]:
    first, *rest = json.loads(said["ENTRYPOINT"])
    place = shutil.which(first, path=environment["PATH"])
    assert place, f"{first} is not in the image"
    return [place, *rest]


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
