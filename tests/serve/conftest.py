from __future__ import annotations

from pathlib import Path

import pytest

from facegauge.zoo import card_to_toml
from toys import toy_card, toy_model


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scorer folder; its score is the mean of the pixels, 0..1."""
    folder = tmp_path_factory.mktemp("scorers") / "toy"
    folder.mkdir()
    model = toy_model()
    (folder / "model.onnx").write_bytes(model)
    (folder / "card.toml").write_text(card_to_toml(toy_card(model)), encoding="utf-8")
    return folder
