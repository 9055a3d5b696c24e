"""The snippets of docs/service.md do what they say."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from facegauge import zoo
from facegauge.scorer import Scorer
from serving import Server, serving

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")
EXAMPLES = {"one.jpg": "astronaut.jpg", "two.jpg": "astronaut_blur.jpg"}

pytestmark = pytest.mark.skipif(zoo.DEFAULT not in zoo.names(), reason="there is no scorer")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("service"), "--workers", "1") as running:
        yield running


@pytest.fixture
def album(tmp_path: Path) -> Path:
    for name, example in EXAMPLES.items():
        shutil.copy(ROOT / "examples" / example, tmp_path / name)
    return tmp_path


def snippets(language: str, word: str) -> list[str]:
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    return [block for block in blocks if word in block]


def output(server: Server, album: Path, *command: str) -> str:
    """What a command prints, with the address of this server in place of the page's."""
    given = [word.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}") for word in command]
    done = subprocess.run(given, cwd=album, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def scores() -> list[float]:
    scorer = Scorer()
    return [scorer.score(ROOT / "examples" / name).faces[0].score for name in EXAMPLES.values()]


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_curl(server: Server, album: Path) -> None:
    lines = [
        line
        for block in snippets("sh", "curl")
        for line in block.splitlines()
        if line.startswith("curl") and "Authorization" not in line
    ]
    assert len(lines) == 2
    many, one = (json.loads(output(server, album, "sh", "-c", line)) for line in lines)
    found = [picture["faces"][0]["score"] for picture in many["pictures"] + one["pictures"]]
    first, second = scores()
    assert found == [first, second, first]


def test_python(server: Server, album: Path) -> None:
    (block,) = snippets("python", "urllib")
    said = output(server, album, sys.executable, "-c", block).split()
    face = Scorer().score(ROOT / "examples" / "astronaut.jpg").faces[0]
    assert said == [str(face.score), face.band]


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_javascript(server: Server, album: Path) -> None:
    (block,) = snippets("js", "FormData")
    said = output(server, album, "node", "--input-type=module", "--eval", block)
    found = re.findall(r"(\w+\.jpg) \[ (\S+) \]", said)
    assert [name for name, _ in found] == list(EXAMPLES)
    assert [float(score) for _, score in found] == pytest.approx(scores())
