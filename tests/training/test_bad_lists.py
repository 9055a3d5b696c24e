"""Lists that cannot work are refused in one line, before anything is trained."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("torch")

from facegauge.cli import app
from toys import noise_picture, write_manifest

Row = dict[str, object]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(14):
        noise_picture(number).save(folder / f"{number}.png")
    return folder


def rows(count: int, score: Callable[[int], float] = lambda row: row / 20) -> list[Row]:
    return [
        {"image": f"{row}.png", "score": score(row), "split": "val" if row % 2 else "train"}
        for row in range(count)
    ]


def refused(folder: Path, listed: list[Row], *words: str) -> str:
    """The one line that training says."""
    write_manifest(folder / "list.csv", listed)
    verb = words or ("train", "ensemble")
    run = [*verb, "--data", str(folder / "list.csv"), "-o", str(folder / "run")]
    result = CliRunner().invoke(app, run)
    assert result.exit_code == 2, result.output
    assert not (folder / "run").exists() and "Traceback" not in result.output
    return result.stderr.strip()


def one_line(text: str) -> bool:
    return "\n" not in text and text.startswith("facegauge: ")


def test_labels_outside_the_scale(pictures: Path) -> None:
    said = refused(pictures, rows(14, lambda row: 1 + row % 5))
    assert one_line(said) and "row 3: expected a score from 0 to 1, got '2'" in said
    assert "--scale" in said
    said = refused(pictures, rows(14, lambda row: 1 + row % 7), "finetune", "--scale", "1,5")
    scale, said = said.split("\n")
    assert scale == "facegauge: labels from 1 to 5 become 0 to 1"
    assert one_line(said) and "expected a score from 1 to 5, got '6'" in said


def test_one_label_value(pictures: Path) -> None:
    said = refused(pictures, rows(14, lambda row: 0.5))
    assert one_line(said)
    assert "7 pictures with split 'train', all with the label 0.5; expected 5 or more, with" in said


def test_five_pictures(pictures: Path) -> None:
    said = refused(pictures, rows(5))
    assert one_line(said) and "3 pictures with split 'train', too few; expected 5 or more" in said
    said = refused(pictures, rows(5), "finetune")
    assert one_line(said) and "5 labelled pictures; fine-tuning needs 25 or more" in said


def test_a_split_with_leaking_people(pictures: Path) -> None:
    listed = [{**row, "identity": f"p{number // 2}"} for number, row in enumerate(rows(14))]
    said = refused(pictures, listed).splitlines()
    assert "leaks between splits: 7; figures on val would not be valid" in said[0]
    assert "--allow-leakage" in said[-1]


def test_a_list_without_pictures(pictures: Path) -> None:
    (pictures / "empty.csv").write_text("image,score,split\n")
    run = ["train", "ensemble", "--data", str(pictures / "empty.csv"), "-o", str(pictures / "run")]
    result = CliRunner().invoke(app, run)
    assert result.exit_code == 2 and one_line(result.stderr.strip())
    assert "empty.csv has a header and no rows" in result.stderr
    said = refused(pictures, [{**row, "image": f"lost/{row['image']}"} for row in rows(14)])
    assert one_line(said) and "row 2: no picture at" in said


def test_a_full_disk(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from facegauge.training.methods.light_ensemble import recipe

    def full(*args: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "runs/first/state.pt")

    monkeypatch.setattr(recipe, "run", full)
    write_manifest(pictures / "list.csv", rows(14))
    run = ["train", "ensemble", "--data", str(pictures / "list.csv"), "-o", str(pictures / "run")]
    result = CliRunner().invoke(app, run)
    assert result.exit_code == 1 and one_line(result.stderr.strip())
    assert "the disk is full at runs/first/state.pt: make room, then repeat" in result.stderr


def test_a_gpu_without_enough_memory_says_what_to_lower() -> None:
    import torch
    from torch import nn

    from facegauge.errors import FacegaugeError
    from facegauge.training.learner import Learner
    from facegauge.training.settings import FitConfig

    class Greedy(nn.Module):
        def forward(self, network: nn.Module, batch: object) -> dict[str, torch.Tensor]:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB\nmore")

    learner = Learner("student", nn.Linear(2, 1), Greedy(), FitConfig(steps=1, lr=0.1, warmup=0))
    with pytest.raises(FacegaugeError) as caught:
        learner.step(0, [{}], 0.1)
    said = str(caught.value)
    assert "\n" not in said and "halve the views of its plan and double its fit.accumulate" in said
    assert "Tried to allocate 9 GiB" in said
