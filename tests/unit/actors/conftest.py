import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

_UNIT = Path(__file__).resolve().parents[1]
sys.path += [str(_UNIT / room) for room in ("domain", "core")]  # rule_makers, made_up_feed

from actor_stage import Stage  # noqa: E402  # needs the path above


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """Actors of one account in a time that only the test moves, on a venue that answers when the test says so."""
    stage = Stage(tmp_path)
    yield stage
    stage.close()
