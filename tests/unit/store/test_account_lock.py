"""One engine per account: the lock holds against a second process and dies with the first, however it dies."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from execactor.domain.errors import ConfigurationError
from execactor.store.lock import AccountLock, account_fingerprint

HOLD = """
import sys
from pathlib import Path
from execactor.store.lock import AccountLock
AccountLock(Path(sys.argv[1]), "a1").acquire()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock of account a1."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_process_is_refused_and_told_which_one_holds_it(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(ConfigurationError, match=f"process {holder.pid} trades this account already; stop it first"):
        AccountLock(tmp_path, "a1").acquire()


def test_another_account_is_free(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    lock = AccountLock(tmp_path, "a2")
    lock.acquire()
    lock.release()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_the_kernel_releases_it_when_the_process_dies(
    tmp_path: Path, holder: subprocess.Popen[str], end: signal.Signals
) -> None:
    holder.send_signal(end)
    assert holder.wait(10) == -end
    lock = AccountLock(tmp_path, "a1")
    lock.acquire()
    assert lock.path.read_text() == str(os.getpid())
    lock.release()


def test_within_one_process_it_is_held_once_too(tmp_path: Path) -> None:
    first, second = AccountLock(tmp_path, "a1"), AccountLock(tmp_path, "a1")
    first.acquire()
    with pytest.raises(ConfigurationError, match=str(os.getpid())):
        second.acquire()
    first.release()
    second.acquire()
    second.release()
    second.release()


def test_the_lock_file_tells_nobody_else_anything(tmp_path: Path) -> None:
    lock = AccountLock(tmp_path / "locks", "a1")
    lock.acquire()
    assert oct(lock.path.stat().st_mode & 0o777) == "0o600"
    assert oct(lock.path.parent.stat().st_mode & 0o777) == "0o700"
    lock.release()


def test_a_fingerprint_names_an_account_and_not_its_key() -> None:
    name = account_fingerprint("binance_usdm", "https://one.example", "the-key")
    assert name == account_fingerprint("binance_usdm", "https://one.example", "the-key")
    others = [("binance_usdm", "https://two.example", "the-key"), ("binance_usdm", "https://one.example", "another")]
    assert name not in {account_fingerprint(*other) for other in others}
    assert "the-key" not in name
    assert len(name) == 12
