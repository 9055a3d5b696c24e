"""The page for any web server: private mode alone, as a folder of files."""

from __future__ import annotations

import os
from pathlib import Path

from facegauge.errors import UsageError
from facegauge.scorer import Scorer
from facegauge.serve.page_files import DENSE, page_files


def export_static(name_or_folder: str | os.PathLike[str], folder: Path) -> list[Path]:
    """Write the page with all that it fetches; it scores in the browser and needs no service.

    Args:
        name_or_folder: a shipped scorer, or a scorer folder.
        folder: new or empty.

    Returns:
        The files that were written.

    Raises:
        UsageError: the folder is not empty or cannot be written; onnxruntime-web is missing.
        ScorerError: no such scorer, or it is damaged.
    """
    scorer = Scorer(name_or_folder, threads=1)
    files = page_files(scorer)
    if scorer.spec.dense_landmarks:
        raise UsageError(f"{scorer.card.name}: {DENSE}")
    if not any(name.startswith("runtime/") for name in files):
        raise UsageError(
            "the page needs onnxruntime-web to score in browsers; run "
            "`facegauge serve --get-web-runtime` first"
        )
    try:
        if folder.exists() and any(folder.iterdir()):
            raise UsageError(f"expected a new or empty folder, got {folder}, which has files")
        for name, file in files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read())
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror or error}") from error
    return [folder / name for name in files]
