"""Requests made from /openapi.json get what it says, and nothing that they could send breaks it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from serving import serving

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance"
)


@pytest.mark.slow
def test_what_is_documented_holds(toy: Path, tmp_path: Path) -> None:
    pytest.importorskip("schemathesis")
    with serving(tmp_path, "--scorer", str(toy), "--workers", "1") as server:
        url = f"http://127.0.0.1:{server.port}/openapi.json"
        command = [sys.executable, "-m", "schemathesis.cli", "run", url, "--checks", CHECKS]
        rest = ["--seed", "1", "--max-examples", "40", "--continue-on-failure", "--warnings", "off"]
        done = subprocess.run(
            [*command, *rest], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
        assert server.ready
