"""Array types that several modules share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""(H, W, 3) RGB, 8-bit sRGB, upright; (N, H, W, 3) if a docstring says so."""

FloatArray = npt.NDArray[np.float32]
"""float32: network inputs (N, 3, H, W), guides (N, 11), maps (h, w)."""

Scores = npt.NDArray[np.float64]
"""(N,) float64, scores or labels."""
