"""Errors, named by the reaction that they need."""


class ExecactorError(Exception):
    """Base of every error that execactor raises on purpose."""


class RetryLater(ExecactorError):
    """The request certainly had no effect; the same wish may be tried again after `after_ms` milliseconds."""

    def __init__(self, reason: str, after_ms: int = 0) -> None:
        super().__init__(reason)
        self.after_ms = after_ms


class ConfigurationError(ExecactorError):
    """A setting is wrong: the engine does not start (exit 78). The message names the key, the value and the fix."""

    def __init__(self, key: str, value: object, fix: str) -> None:
        super().__init__(f"{key} = {value!r}: {fix}")
        self.key = key
        self.value = value
        self.fix = fix


class VenueFatal(ExecactorError):
    """The venue refuses to work with this account (key, permission, ban): SAFE MODE until a person looks."""


class InvariantViolated(ExecactorError):
    """The engine's own state contradicts itself: the actor crashes, its supervisor decides, an alert goes out."""
