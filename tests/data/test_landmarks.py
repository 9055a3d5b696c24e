"""Dense landmark files: their place, and the errors of damaged ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facegauge.data.landmarks import landmark_path, load_landmarks
from facegauge.errors import UsageError


def test_landmark_files(tmp_path: Path) -> None:
    picture = tmp_path / "train" / "img" / "7_0.png"
    file = landmark_path(picture)
    assert file == tmp_path / "train" / "landmark" / "7_0.npy"
    file.parent.mkdir(parents=True)
    np.save(file, np.array([[1, 2], [3, 4]]))
    assert load_landmarks(file).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    for wrong in (np.zeros((3, 3)), np.array([[1.0, np.nan]]), np.array(["a"])):
        np.save(file, wrong)
        with pytest.raises(UsageError, match=r"no landmarks: expected a finite \(N, 2\) array"):
            load_landmarks(file)
    np.save(file, np.array([[1, {}]], object), allow_pickle=True)
    with pytest.raises(UsageError, match="cannot read landmarks"):
        load_landmarks(file)
    file.write_bytes(b"")
    with pytest.raises(UsageError, match="cannot read landmarks"):
        load_landmarks(file)
