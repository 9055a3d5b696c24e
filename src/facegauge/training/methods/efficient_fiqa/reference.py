"""The weights that Efficient-FIQA's authors published (github.com/sunwei925/Efficient-FIQA)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from facegauge.nn.regressor import Regressor
from facegauge.training.reference import fill, renamed

BACKBONES = {"teacher": "swin_b", "student": "edgenext_xx_small"}
TEACHER = "feature_extraction.feature_extraction."
STUDENT = "feature_extraction."


def part_of_weights(state: Mapping[str, Tensor]) -> str | None:
    """Whose weights these are, by their names: "teacher" or "student"; None: of neither."""
    if "quality.1.weight" not in state:
        return None
    if any(name.startswith(TEACHER) for name in state):
        return "teacher"
    return "student" if any(name.startswith(STUDENT) for name in state) else None


def network_of(state: Mapping[str, Tensor], part: str) -> Regressor:
    """The teacher or the student with published weights, in evaluation mode.

    Args:
        state: under the names of the authors' code.
        part: see `part_of_weights`.

    Raises:
        UsageError: the weights are another network's.
    """
    network = Regressor(BACKBONES[part], head="factorised")
    body = TEACHER if part == "teacher" else STUDENT
    ours = renamed(state, [(body, "body."), ("quality.", "head.")])
    fill(network, ours, f"Efficient-FIQA's {part}")
    return network.eval()
