"""From an error to the exit code and the one line that a person reads."""

from execactor.control.client import ControlClosed, ControlDenied, ControlRefused, ControlTimeout, EngineAbsent
from execactor.domain.errors import ConfigurationError, ExecactorError, RetryLater, VenueFatal
from execactor.service.exit_codes import Exit

_CODES: tuple[tuple[type[ExecactorError], Exit], ...] = (
    (ConfigurationError, Exit.CONFIG),
    (VenueFatal, Exit.DENIED),
    (ControlDenied, Exit.DENIED),
    (RetryLater, Exit.UNAVAILABLE),
    (EngineAbsent, Exit.UNAVAILABLE),
    (ControlTimeout, Exit.UNAVAILABLE),
    (ControlClosed, Exit.UNAVAILABLE),
    (ControlRefused, Exit.REFUSED),
)


def exit_code(error: ExecactorError) -> Exit:
    """The exit code of an error; INTERNAL for one that no command should let through."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), Exit.INTERNAL)


def sentence(error: ExecactorError) -> str:
    """One line that names what is wrong and, for a setting, its key, its value and the fix."""
    text = " ".join(str(error).split())
    match error:
        case ConfigurationError():
            return f"configuration error: {text}"
        case VenueFatal():
            return f"the venue refuses to work with this account: {text}"
        case RetryLater():
            return f"the venue cannot be reached: {text}"
        case _:
            return text
