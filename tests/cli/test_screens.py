"""What verbs show on a terminal: in a pseudo-terminal, drawn by an emulator, at two widths."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from commands import MAIN

pytest.importorskip("fcntl")
pyte = pytest.importorskip("pyte")

import fcntl  # noqa: E402
import pty  # noqa: E402
import termios  # noqa: E402

WIDTHS = (80, 120)
HEIGHT = 300
LEGIBLE = {"red", "green", "blue", "magenta"}  # of the eight, on white and on black
CONTRAST = 2.5  # with white and with black, at least, of a bar
LONG = "a_long_album_name_of_a_summer_holiday/with_another_long_subfolder_name_in_it"
NAMES = [
    "a.png",
    f"{LONG}/IMG_20260704_portrait_of_grandmother_retouched_final.png",
    "鏡の中の顔写真とても長いファイル名のテスト用画像その一.png",
    "👧 girl.png",
    f"{'x' * 120}.png",
]


class Shown:
    """The screen of a command: its lines without what is blank, and its colours."""

    def __init__(self, data: bytes, columns: int, code: int) -> None:
        self.code, self.raw = code, data.decode()
        self.screen = pyte.Screen(columns, HEIGHT)
        pyte.ByteStream(self.screen).feed(data)
        self.lines = [line.rstrip() for line in self.screen.display]
        while self.lines and not self.lines[-1]:
            self.lines.pop()
        self.text = "\n".join(self.lines)

    def colours(self) -> set[str]:
        """Foreground colours of what is visible; backgrounds stay as they are."""
        cells = [cell for row in self.screen.buffer.values() for cell in row.values()]
        assert all(cell.bg == "default" for cell in cells)
        return {cell.fg for cell in cells if cell.data.strip()} - {"default"}


def show(
    columns: int,
    folder: Path,
    *words: str | Path,
    program: Sequence[str] = MAIN[1:],
    **environment: str,
) -> Shown:
    """Run a verb in a pseudo-terminal of so many columns, in a folder."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, columns, 0, 0))
    paths = os.pathsep.join(path for path in sys.path if path)
    kept = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, *program, *map(str, words)],
        cwd=folder,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**kept, "TERM": "xterm-256color", "PYTHONPATH": paths, **environment},
    )
    os.close(follower)
    data = b""
    while True:
        try:
            chunk = os.read(leader, 65536)
        except OSError:  # the other side is closed
            break
        if not chunk:
            break
        data += chunk
    os.close(leader)
    return Shown(data, columns, process.wait(120))


@pytest.fixture
def album(grey: Callable[..., Path], tmp_path: Path) -> Path:
    """Five pictures with long, wide and odd names, and one that is no picture."""
    for number, name in enumerate(NAMES):
        grey(f"album/{name}", 60 + 40 * number)
    (tmp_path / "album" / "broken.png").write_bytes(b"no")
    return tmp_path


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("more", [(), ("--factors", "--factor", "resolution")])
def test_rows_of_score_fit(
    columns: int, more: tuple[str, ...], album: Path, toy_scorer: Path
) -> None:
    shown = show(
        columns, album, "score", "album", "--scorer", toy_scorer, "--faces", "whole", *more
    )
    assert shown.code == 3
    head, *rest = shown.lines
    assert head.split()[:5] == ["score", "low-high", "percentile", "band", "face"]
    rows = [line for line in rest if re.match(r"\d\.\d{3}  | {30}unreadable", line)]
    assert len(rows) == len(NAMES) + 1  # no row is continued at the left edge
    others = [line for line in rest if line not in rows]
    assert all(line.startswith(("       ", "facegauge: ", "  ", "━")) for line in others), others
    names = [re.split(r"  +", line)[-1] for line in rows]
    for name in names:
        assert re.search(r"\.png(  \(.*\))?$", name) or name.endswith(")"), name
    shortened = next(line for line in rows if "x...x" in line)
    assert shortened.endswith(".png")
    if more:
        assert any("problems" in line for line in others)
    elif columns == 80:  # where notes stand below, pictures stand in one column
        assert {line.index("album/") for line in rows} == {head.index("picture")}


@pytest.mark.parametrize("columns", WIDTHS)
def test_the_bar_of_sorted_rows_stands_above_the_table(
    columns: int, album: Path, toy_scorer: Path
) -> None:
    words = ("score", "album", "--scorer", toy_scorer, "--faces", "whole", "--sort", "-score")
    shown = show(columns, album, *words)
    assert shown.lines[0].startswith("━") and "6/6" in shown.lines[0]
    assert shown.lines[1].startswith("score ")
    scores = re.findall(r"^(\d\.\d{3})  ", shown.text, re.M)
    assert len(scores) == len(NAMES) and scores == sorted(scores, reverse=True)


def legible(colour: str) -> bool:
    """Whether a colour is seen on white and on black: a name, or RRGGBB with enough contrast."""
    if not re.fullmatch("[0-9a-f]{6}", colour):
        return colour in LEGIBLE
    parts = [int(colour[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    light = sum(
        weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True)
    )
    return min(1.05 / (light + 0.05), (light + 0.05) / 0.05) >= CONTRAST


def test_colours_are_legible_and_can_be_left_out(album: Path, toy_scorer: Path) -> None:
    words = ("score", "album", "--scorer", toy_scorer, "--faces", "whole")
    shown = show(80, album, *words)
    assert shown.colours() and all(map(legible, shown.colours())), shown.colours()
    plain = show(80, album, *words, NO_COLOR="1")
    assert not plain.colours() and not re.search(r"\x1b\[(?!1m|0m)[\d;]*m", plain.raw)
    assert [line for line in plain.lines if "━" not in line] == [
        line for line in shown.lines if "━" not in line
    ]


@pytest.mark.parametrize("columns", WIDTHS)
def test_best_shows_a_table_with_names_that_fit(
    columns: int, album: Path, toy_scorer: Path
) -> None:
    words = ("best", "album", "--scorer", toy_scorer, "--faces", "whole", "--keep-copies")
    shown = show(columns, album, *words)
    rows = [line for line in shown.lines if re.match(r" +\d   \d\.\d{3}   ", line)]
    assert len(rows) == len(NAMES) and all(row.endswith(".png") for row in rows)
    shown = show(columns, album, *words, "--per-folder")
    rows = [line for line in shown.lines if re.search(r"  \d   \d\.\d{3}   ", line)]
    assert len(rows) == len(NAMES) and all(row.endswith(".png") for row in rows)
    assert "a.png" in shown.text and "album/a.png" not in shown.text


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("verb", ["evaluate", "score", "best", "audit", "serve", "finetune"])
def test_help_shows_defaults_within_the_width(columns: int, verb: str, tmp_path: Path) -> None:
    shown = show(columns, tmp_path, verb, "--help")
    assert shown.code == 0 and "[default: " in shown.text
    assert not shown.colours()
    words = re.findall(r"[^\s]+", shown.raw)
    assert set(words) <= set(re.findall(r"[^\s]+", shown.text))  # none was broken by the edge


@pytest.mark.parametrize("group", ["data", "train"])
def test_lists_of_commands_say_whole_sentences(group: str, tmp_path: Path) -> None:
    shown = show(80, tmp_path, group, "--help")
    listed = shown.text[shown.text.index("Commands:") :]
    assert "..." not in listed and listed.count(".") >= 5


@pytest.mark.parametrize("columns", WIDTHS)
def test_messages_are_broken_between_words(columns: int, tmp_path: Path) -> None:
    shown = show(columns, tmp_path, "score", "--sort", "by-name-and-then-by-date", "x.png")
    assert shown.code == 2 and shown.lines[0].startswith("facegauge: ")
    whole = " ".join(line.strip() for line in shown.lines)
    assert "expected --sort to be one of path, score, -score, got by-name-and-then-by-date" in whole


def test_two_scorers_are_compared_with_which_minus_which(
    grey: Callable[..., Path], tmp_path: Path
) -> None:
    lines = ["image,score,split"]
    for number in range(12):
        grey(f"{number}.png", 20 * number)
        lines.append(f"{number}.png,{number / 12:.3f},val")
    (tmp_path / "list.csv").write_text("\n".join(lines) + "\n")
    for name, turn in (("first", 1), ("second", 5)):
        rows = [f"{number}.png,{number * turn % 12 / 12:.3f}" for number in range(12)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["path,score", *rows]) + "\n")
    words = ("evaluate", "first.csv", "--data", "list.csv", "--compare", "second.csv")
    for columns in WIDTHS:
        shown = show(columns, tmp_path, *words)
        assert shown.code == 0, shown.text
        assert "first.csv - second.csv, 12 pictures:" in shown.text
        assert re.search(r"^ SRCC +\+", shown.text[shown.text.index(" - second") :], re.M)


BAR = """
from facegauge.cli.progress import Bars
from facegauge.progress import shown_by, track
with shown_by(Bars()):
    for _ in track(range(3), "student: embedding the pictures for the first time", total=12345):
        pass
"""


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_bars_show_their_figures_whole(columns: int, tmp_path: Path) -> None:
    (tmp_path / "bar.py").write_text(BAR)
    shown = show(columns, tmp_path, program=["bar.py"])
    assert shown.code == 0
    frames = [re.sub(r"\x1b\[[\d;?]*\w", "", one) for one in re.split(r"[\r\n]+", shown.raw)]
    drawn = [one for one in frames if one.strip()]
    assert drawn and all(re.search(r"━ +\d/12345 ", one) for one in drawn)
    assert all(len(one) <= columns and one.startswith("stud") for one in drawn)
