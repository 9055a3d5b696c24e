"""Names from the command line, lines for people, tables and progress."""

from __future__ import annotations

import io
import sys

import pytest

from facegauge.cli import streams, terminal


def test_tables_in_a_pipe_are_not_folded(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_table(["picture"], [["a/" * 300]])
    assert "a/" * 300 in capsys.readouterr().out


WIDE = ["name", ">SRCC", ">PLCC", "val"]
CELLS = [["one", "0.1 (0.0-0.2)", "0.2 (0.1-0.3)", "ten words that may be broken where a space is"]]


@pytest.mark.parametrize("columns", [40, 80])
def test_no_number_of_a_table_is_broken_on_a_narrow_terminal(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rich.console import Console

    monkeypatch.setattr(terminal, "stdout_console", lambda: Console(width=columns, markup=False))
    terminal.print_table(WIDE, CELLS * 2)
    said = capsys.readouterr().out
    assert said.count("0.1 (0.0-0.2)") == 2 and said.count("ten words") == 2
    assert max(map(len, said.splitlines())) <= columns
    assert ("  SRCC  0.1 (0.0-0.2)\n" in said) == (columns == 40)  # a block a row


def test_a_stream_of_few_characters_gets_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow, wide = (io.TextIOWrapper(io.BytesIO(), encoding=name) for name in ("cp1252", "utf-8"))
    monkeypatch.setattr(sys, "stdout", narrow)
    monkeypatch.setattr(sys, "stderr", wide)
    streams.escape_unprintable()
    print("鏡 ä")
    narrow.flush()
    assert narrow.buffer.getvalue() == "\\u93e1 ä\n".encode("cp1252")
    assert wide.errors == "strict"


def test_printable() -> None:
    assert terminal.printable("a\x1b[0m\n\t\r\x7f") == "a\\x1b[0m\\n\\t\\r\\x7f"
    assert terminal.printable("\u202e caf\udce9 ä 鏡") == "\\u202e caf\\udce9 ä 鏡"
