"""Exit codes of every command (docs/cli.md); those from 64 on follow sysexits.h."""

from enum import IntEnum


class Exit(IntEnum):
    """What a command's end tells its caller."""

    OK = 0
    FAILED = 1
    """A check failed: doctor, demo, an offline kill that could not be confirmed."""
    USAGE = 2
    REFUSED = 3
    """The engine understood and will not do it."""
    NOT_TRADING = 4
    """`status --check`: the engine answers, but takes no risk (PAUSED, SAFE_MODE, HALTED)."""
    UNAVAILABLE = 69
    """The engine or the venue cannot be reached."""
    INTERNAL = 70
    """A defect of execactor."""
    DENIED = 77
    """The venue refuses the key, or another user owns the engine."""
    CONFIG = 78
    """A setting is wrong."""
