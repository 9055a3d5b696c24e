"""Numbers within limits, as types of settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
AboveZero = Annotated[float, Field(gt=0)]
Severity = Annotated[float, Field(ge=0, le=5)]
