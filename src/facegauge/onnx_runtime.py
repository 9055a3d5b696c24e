"""The only place that imports onnxruntime, which must not send telemetry."""

from __future__ import annotations

import os
from typing import Any

TELEMETRY_OFF = "ORT_DISABLE_TELEMETRY"


def import_onnxruntime() -> Any:
    """The module onnxruntime, with its telemetry switched off.

    From version 1.29 on it looks up a host, keeps a database in `~/.cache` and sends events, unless
    this variable is set before it is first imported. A value that the user has set stays.
    """
    os.environ.setdefault(TELEMETRY_OFF, "1")
    import onnxruntime

    return onnxruntime
