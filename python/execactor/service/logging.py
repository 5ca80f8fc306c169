"""Logging: JSON lines in a rotating file, readable lines for people, and no secret in either.

Records of structlog and of the standard library take the same way. They are written by a thread of their own from a
bounded queue, so that a full disk or a pipe that nobody reads never holds up trading.
"""

import json
import logging
import queue
import re
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from logging.handlers import QueueHandler, RotatingFileHandler
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import orjson
import structlog
from structlog.typing import EventDict, Processor

_WAITING_RECORDS = 10_000
_LAST_WORDS_S = 2.0
_HIDDEN = "…"
_IN_URLS: Final = re.compile(r"(?i)\b(signature|listenKey|apiKey|X-MBX-APIKEY)(\W{1,4})[\w-]{16,}")
# At DEBUG these log whole frames and handshakes, which carry keys and signatures.
_TALKATIVE = ("aiohttp", "websockets", "asyncio")


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """level: of everything. file: JSON lines, rotated at max_bytes; None writes none. stream: readable lines.

    json_stream: JSON lines there too. colour: of the readable lines. secrets: texts that never appear.
    """

    level: str = "INFO"
    file: Path | None = None
    max_bytes: int = 10 * 1024 * 1024
    backups: int = 5
    stream: IO[str]
    json_stream: bool = False
    colour: bool = False
    secrets: tuple[str, ...] = ()


class LogWriter:
    """What `configure` started; `close` writes what still waits."""

    def __init__(self, handlers: Sequence[logging.Handler], intake: "_Intake") -> None:
        self._handlers = handlers
        self._intake = intake
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Records that found the queue full."""
        return self._intake.dropped

    def close(self) -> None:
        """Stop taking records, and wait a moment for the written ones; a stuck stream is left behind."""
        logging.getLogger().removeHandler(self._intake)
        with suppress(queue.Full):
            self._intake.queue.put_nowait(None)
        self._thread.join(_LAST_WORDS_S)
        if not self._thread.is_alive():
            for handler in self._handlers:
                handler.close()

    def _write(self) -> None:
        while (record := self._intake.queue.get()) is not None:
            for handler in self._handlers:
                handler.handle(record)


class _Intake(QueueHandler):
    """Takes records on the caller's thread without ever waiting."""

    def __init__(self) -> None:
        super().__init__(queue.Queue(_WAITING_RECORDS))
        self.dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """The record as it is: it stays in this process, and the formatters need its parts."""
        if not isinstance(record.msg, dict):
            record.msg, record.args = record.getMessage(), None
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        """Queue it, or count it as dropped."""
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1


class _Censor(structlog.stdlib.ProcessorFormatter):
    """Formats, then hides secrets in the finished line, whatever way they took into it."""

    def __init__(self, renderer: Processor, secrets: Sequence[str]) -> None:
        super().__init__(
            foreign_pre_chain=[*_COMMON, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
        spellings = {secret for secret in secrets if secret}
        spellings |= {json.dumps(secret)[1:-1] for secret in spellings}
        self._secrets = sorted(spellings, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """One line without secrets."""
        text = super().format(record)
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return _IN_URLS.sub(rf"\1\2{_HIDDEN}", text)


_COMMON: list[Processor] = [
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure(settings: LogSettings) -> LogWriter:
    """Send the records of every room to the file and the stream; replaces what was configured before.

    Raises OSError when the file cannot be opened.
    """
    handlers: list[logging.Handler] = []
    if settings.file is not None:
        settings.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = RotatingFileHandler(
            settings.file, maxBytes=settings.max_bytes, backupCount=settings.backups, encoding="utf-8"
        )
        file.setFormatter(_Censor(_as_json, settings.secrets))
        handlers.append(file)
    stream = logging.StreamHandler(settings.stream)
    stream.setFormatter(_Censor(_as_json if settings.json_stream else _readable(settings.colour), settings.secrets))
    handlers.append(stream)

    intake = _Intake()
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.addHandler(intake)
    root.setLevel(settings.level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_COMMON,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    return LogWriter(handlers, intake)


def to_stderr(level: str = "WARNING") -> LogWriter:
    """For commands whose stdout is data."""
    return configure(LogSettings(level=level, stream=sys.stderr))


def _readable(colour: bool) -> Processor:
    return structlog.dev.ConsoleRenderer(colors=colour, exception_formatter=structlog.dev.plain_traceback)


def _as_json(_logger: Any, _name: str, event: EventDict) -> str:
    # Local variables never go into a traceback: they may hold keys.
    shown = structlog.processors.format_exc_info(_logger, _name, event)
    return orjson.dumps(shown, default=str).decode()
