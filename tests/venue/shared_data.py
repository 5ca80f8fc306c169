"""Recorded and documented venue data, kept beside the repository and never in it."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def document(name: str) -> Any:
    """The JSON document `name` below shared/data; the test is skipped where that is absent."""
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"{path} is absent: it is not part of the repository")
    raw = path.read_bytes()
    return json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
