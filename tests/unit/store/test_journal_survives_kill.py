"""kill -9 of a process that appends: what it had acknowledged is there, and the chain holds."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from execactor.store.journal import Journal

APPEND = """
import sys
from pathlib import Path
from execactor.domain.messages.decisions import PlanStarted
from execactor.store.journal import Journal
journal = Journal(Path(sys.argv[1]), account="a1", now_ms=1)
while True:
    seq = journal.append(PlanStarted(key=f"d{journal.seq + 1}", symbol="BTCUSDT"), key="BTCUSDT", ts_ns=1)
    print(seq, flush=True)
"""


def killed_after(path: Path, lines: int) -> int:
    """Let a child append until it has acknowledged `lines` more, kill it, and return the last number it told."""
    process = subprocess.Popen([sys.executable, "-c", APPEND, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    last = 0
    for _ in range(lines):
        last = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL
    whole = [line for line in rest.splitlines(keepends=True) if line.endswith("\\n")]
    return int(whole[-1]) if whole else last


@pytest.mark.parametrize("kills", [[1], [50, 1, 200], [700, 3]])
def test_no_acknowledged_record_is_lost_and_the_chain_holds(tmp_path: Path, kills: list[int]) -> None:
    path = tmp_path / "journal.db"
    acknowledged = 0
    for lines in kills:
        told = killed_after(path, lines)
        assert told >= acknowledged + lines
        journal = Journal(path, account="a1", now_ms=1)  # raises when the chain is broken
        assert journal.seq >= told
        assert [getattr(row.record, "key", None) for row in journal.rows()] == [
            f"d{number}" for number in range(1, journal.seq + 1)
        ]
        acknowledged = journal.seq
        journal.close()
