"""Files that verbs write: no input is replaced, and names end as the content asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import run
from facegauge.cli.outputs import check_output
from facegauge.errors import UsageError


def test_an_output_is_no_input_has_its_suffix_and_a_folder(tmp_path: Path) -> None:
    table, link = tmp_path / "t.json", tmp_path / "link.json"
    table.write_text("{}")
    link.symlink_to(table)
    check_output(None, [table])
    check_output(tmp_path / "new.json", [table, None, "mobile", tmp_path / "missing.csv"])
    for output in (table, link):
        with pytest.raises(UsageError, match="is what is read; choose another name"):
            check_output(output, ["mobile", str(table)])
    with pytest.raises(UsageError, match=r"x.txt: expected a name that ends in .json$"):
        check_output(tmp_path / "x.txt", [])
    with pytest.raises(UsageError, match=r"ends in .png or .jpg$"):
        check_output(tmp_path / "x.gif", [], (".png", ".jpg"))
    check_output(tmp_path / "x.PNG", [], (".png",))
    with pytest.raises(UsageError, match="there is no folder"):
        check_output(tmp_path / "none" / "x.json", [])
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        check_output(tmp_path / "folder.json", [])


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", "mobile", "--data", "IN.json"),
        ("audit", "IN.json", "--data", "list.csv", "--by", "a"),
        ("edc", "IN.json", "--pairs", "p.csv"),
        ("compare", "IN.json", "other.csv"),
        ("report", "IN.html"),
        ("sheet", "IN.png"),
        ("explain", "IN.png"),
    ],
    ids=lambda words: words[0],
)
def test_no_verb_replaces_what_it_reads(words: tuple[str, ...], tmp_path: Path) -> None:
    given = [str(tmp_path / word) if "." in word else word for word in words]
    name = next(word for word in given if "IN." in word)
    Path(name).write_text("precious")
    result = run(*given, "-o", name)
    assert result.exit_code == 2 and "is what is read; choose another name" in result.stderr
    assert Path(name).read_text() == "precious"
