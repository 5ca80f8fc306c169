"""One engine per account: a file lock, and the marker that an offline kill leaves behind."""

import fcntl
import hashlib
import os
from pathlib import Path

from execactor.domain.errors import ConfigurationError

HALT_MARKER = "HALT"


def account_fingerprint(venue: str, base_url: str, api_key: str) -> str:
    """A short, stable name of an account that tells nothing of its key."""
    return hashlib.blake2b(f"{venue}|{base_url}|{api_key}".encode(), digest_size=6).hexdigest()


class AccountLock:
    """Held as long as the engine lives; the kernel releases it when the process dies, however it dies."""

    def __init__(self, directory: Path, fingerprint: str) -> None:
        self.path = directory / f"{fingerprint}.lock"
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock or raise ConfigurationError naming the process that holds it."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            raise ConfigurationError(
                "lock_dir", str(self.path), f"process {holder} trades this account already; stop it first"
            ) from error
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        self._fd = fd

    def release(self) -> None:
        """Give it back; safe to call twice."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
