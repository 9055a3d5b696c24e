"""Files that are written: nothing is replaced unasked, no input ever, and nothing is there half."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import typer.main

from commands import run
from facegauge.cli.app import app
from facegauge.errors import UsageError
from facegauge.outputs import check_new_folder, check_output, replacing, whole_folder


def test_an_output_is_no_input_has_its_suffix_and_a_folder(tmp_path: Path) -> None:
    table, link = tmp_path / "t.json", tmp_path / "link.json"
    table.write_text("{}")
    link.symlink_to(table)
    check_output(None, [table])
    check_output(tmp_path / "new.json", [table, None, "mobile", tmp_path / "missing.csv"])
    for output in (table, link):
        with pytest.raises(UsageError, match="is what is read; choose another name"):
            check_output(output, ["mobile", str(table)], overwrite=True)
    with pytest.raises(UsageError, match=r"x.txt: expected a name that ends in .json$"):
        check_output(tmp_path / "x.txt", [], (".json",))
    with pytest.raises(UsageError, match=r"ends in .png or .jpg$"):
        check_output(tmp_path / "x.gif", [], (".png", ".jpg"))
    check_output(tmp_path / "x.PNG", [], (".png",))
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot make the folder"):
        check_output(tmp_path / "file" / "x.json", [])
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        check_output(tmp_path / "folder.json", [])


def test_what_exists_is_replaced_if_asked_only(tmp_path: Path) -> None:
    taken, dangling = tmp_path / "t.json", tmp_path / "link.json"
    taken.write_text("{}")
    dangling.symlink_to(tmp_path / "nowhere")
    for one in (taken, dangling):
        with pytest.raises(UsageError, match="exists: replace it with --overwrite, or choose"):
            check_output(one)
        check_output(one, overwrite=True)


def test_files_and_folders_appear_whole(tmp_path: Path) -> None:
    file, folder = tmp_path / "f", tmp_path / "folder"
    file.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(file) as fresh:
        fresh.write_text("half")
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt), whole_folder(folder) as partial:
        (partial / "half").write_text("half")
        raise KeyboardInterrupt
    assert file.read_text() == "old" and list(tmp_path.iterdir()) == [file]
    folder.mkdir()
    check_new_folder(folder, "scorer")
    with whole_folder(folder) as partial:
        (partial / "a").write_text("a")
    assert [one.name for one in folder.iterdir()] == ["a"]
    with pytest.raises(UsageError, match="is in use; choose a new folder for the scorer"):
        check_new_folder(folder, "scorer")


def test_every_verb_that_writes_a_file_takes_overwrite() -> None:
    folders = (
        "calibrate",
        "convert",
        "export",
        "finetune",
        "quantize",
        "soup",
        "train",
    )  # a new one, always

    def check(group: object, name: str = "") -> None:
        for word, command in getattr(group, "commands", {}).items():
            check(command, f"{name} {word}".strip())
        options = {one for parameter in getattr(group, "params", ()) for one in parameter.opts}
        if options & {"--output", "--into", "OUT", "out"} and not name.startswith(folders):
            assert "--overwrite" in options, name
            found.append(name)

    found: list[str] = []
    check(typer.main.get_command(app))
    assert {"score", "report", "degrade", "data split", "merge"} <= set(found) and len(found) > 12


@pytest.fixture
def inputs(tmp_path: Path, grey: Callable[..., Path], toy_scorer: Path) -> Path:
    """A folder with a table, a list, pairs and pictures for every verb."""
    grey("a.png", 90, (24, 32))
    for place, name in enumerate(("b.png", "c.png", "d.png")):
        grey(name, 110 + 20 * place, (24, 32))
    words = [tmp_path, "--scorer", toy_scorer, "--faces", "whole"]
    assert run("score", *words, "-o", tmp_path / "t.csv").exit_code == 0
    lines = ["image,score,g", "a.png,0.4,x", "b.png,0.6,y", "c.png,0.5,x", "d.png,0.1,y"]
    (tmp_path / "list.csv").write_text("\n".join(lines) + "\n")
    pairs = ["a,b,similarity,mated", "a.png,b.png,0.9,1", *["a.png,b.png,0.1,0"] * 2]
    (tmp_path / "pairs.csv").write_text("\n".join(pairs) + "\n")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("evaluate", "t.csv", "--data", "list.csv"), "out.json"),
        (("audit", "t.csv", "--data", "list.csv", "--by", "g"), "out.json"),
        (("edc", "t.csv", "--pairs", "pairs.csv", "--fmr", "0.5"), "out.json"),
        (("compare", "t.csv", "t.csv"), "out.json"),
        (("report", "t.csv"), "out.html"),
        (("sheet", "t.csv"), "out.png"),
        (("explain", "a.png", "--faces", "whole", "--scorer", "toy"), "out.json"),
        (("degrade", "a.png", "--kind", "jpeg"), "out.png"),
        (("best", "a.png", "--faces", "whole", "--scorer", "toy"), "out.csv"),
        (("score", "a.png", "--faces", "whole", "--scorer", "toy"), "out.csv"),
        (("data", "split", "list.csv", "--val", "0.5"), "out.csv"),
        (("data", "join", "list.csv"), "out.csv"),
        (("data", "balance", "list.csv", "--by", "g"), "out.csv"),
    ],
    ids=lambda words: " ".join(words[:2]) if isinstance(words, tuple) else None,
)
def test_verbs_replace_no_file_unasked_and_make_folders(
    words: tuple[str, ...], name: str, inputs: Path, toy_scorer: Path
) -> None:
    output = inputs / name
    given = [toy_scorer if word == "toy" else inputs / word if "." in word[1:] and word[0] != "0"
             else word for word in words]  # fmt: skip
    output.write_text("precious")
    refused = run(*given, "-o", output)
    assert refused.exit_code == 2 and "--overwrite" in refused.stderr, refused.stderr
    assert refused.stderr.count("\n") == 1 and output.read_text() == "precious"
    done = run(*given, "-o", output, "--overwrite")
    assert done.exit_code == 0, done.stderr
    assert output.read_bytes()[:8] != b"precious"
    below = inputs / "new" / "deep" / name
    assert run(*given, "-o", below).exit_code == 0 and below.is_file()


def test_tables_of_labels_and_merged_ones_make_their_folder(inputs: Path, toy_scorer: Path) -> None:
    out, whole = inputs / "parts" / "1.csv", inputs / "all" / "m.csv"
    done = run("label", toy_scorer, "--data", inputs / "list.csv", "--faces", "whole", "-o", out,
               "--shard", "1/1")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert run("merge", whole, out).exit_code == 0 and whole.is_file()


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
    result = run(*given, "-o", name, "--overwrite")
    assert result.exit_code == 2 and "is what is read; choose another name" in result.stderr
    assert Path(name).read_text() == "precious"
