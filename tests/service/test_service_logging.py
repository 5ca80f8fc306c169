"""Logging: every room's records arrive, nothing waits for them, and no secret is among them."""

import io
import json
import logging
import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog
from engine_room import KEYS, decision
from processes import Processes, eventually, execactor

from execactor.service.logging import LogSettings, LogWriter, configure

SECRET = "Kx7-hidden/+secret"


def started(tmp_path: Path, stream: Any, **changes: Any) -> tuple[LogWriter, Path]:
    file = tmp_path / "logs" / "engine.log"
    return configure(LogSettings(file=file, stream=stream, secrets=(SECRET, ""), **changes)), file


def test_records_of_the_standard_library_and_of_structlog_take_the_same_way(tmp_path: Path) -> None:
    stream = io.StringIO()
    writer, file = started(tmp_path, stream)
    logging.getLogger("execactor.room").info("one of %d", 2, extra={"symbol": "BTCUSDT"})
    structlog.get_logger("execactor.other").warning("two", reason="because")
    writer.close()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["event"], line["level"], line["logger"]) for line in lines] == [
        ("one of 2", "info", "execactor.room"),
        ("two", "warning", "execactor.other"),
    ]
    assert (lines[0]["symbol"], lines[1]["reason"]) == ("BTCUSDT", "because")
    assert "one of 2" in stream.getvalue()
    assert "reason=because" in stream.getvalue()


def test_the_stream_can_carry_json_lines_too(tmp_path: Path) -> None:
    stream = io.StringIO()
    writer, _ = started(tmp_path, stream, json_stream=True)
    logging.getLogger("execactor").info("hello")
    writer.close()
    assert json.loads(stream.getvalue())["event"] == "hello"


@pytest.mark.parametrize(
    "tell",
    [
        pytest.param(lambda log: log.info(SECRET), id="in the text"),
        pytest.param(lambda log: log.info("%s", SECRET), id="in an argument"),
        pytest.param(lambda log: log.info("%r", {"key": [SECRET]}), id="inside another object"),
        pytest.param(lambda log: log.info("x", extra={"header": SECRET}), id="in an extra field"),
        pytest.param(lambda _: structlog.get_logger().info("x", secret=SECRET), id="in a structlog field"),
        pytest.param(lambda _: structlog.get_logger().info("x", deep={"a": {"b": SECRET}}), id="deep in a field"),
        pytest.param(lambda log: _fail(log, SECRET), id="in an exception"),
        pytest.param(
            lambda log: log.info("GET /fapi/v1/order?symbol=B&signature=%s", SECRET_SIGNATURE), id="as a signature"
        ),
        pytest.param(lambda log: log.info("{'listenKey': '%s'}", SECRET_SIGNATURE), id="as a listen key"),
    ],
)
def test_a_secret_reaches_neither_file_nor_stream(tmp_path: Path, tell: Any) -> None:
    stream = io.StringIO()
    writer, file = started(tmp_path, stream)
    tell(logging.getLogger("execactor.venues"))
    writer.close()
    for shown in (file.read_text(), stream.getvalue()):
        assert shown
        assert SECRET not in shown
        assert SECRET_SIGNATURE not in shown


SECRET_SIGNATURE = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"


def _fail(log: logging.Logger, secret: str) -> None:
    local = secret
    try:
        raise ValueError(f"bad key {local}")
    except ValueError:
        log.exception("it failed")


def test_a_traceback_shows_no_local_variables(tmp_path: Path) -> None:
    stream = io.StringIO()
    writer, file = started(tmp_path, stream)
    _fail(logging.getLogger("execactor"), "-".join(["never", "shown"]))
    writer.close()
    for shown in (file.read_text(), stream.getvalue()):
        assert "Traceback" in shown
        assert "never-shown" not in shown.replace("ValueError: bad key never-shown", "")


def test_the_file_rotates(tmp_path: Path) -> None:
    writer, file = started(tmp_path, io.StringIO(), max_bytes=2_000, backups=2)
    for number in range(100):
        logging.getLogger("execactor").info("line %d", number)
    writer.close()
    assert sorted(found.name for found in file.parent.iterdir()) == ["engine.log", "engine.log.1", "engine.log.2"]
    assert all(found.stat().st_size <= 2_000 for found in file.parent.iterdir())


def test_a_level_holds_for_everything_and_libraries_that_log_frames_stay_silent(tmp_path: Path) -> None:
    stream = io.StringIO()
    writer, _ = started(tmp_path, stream, level="DEBUG")
    logging.getLogger("execactor").debug("mine")
    logging.getLogger("websockets.client").debug("> GET /private?listenKey=")
    logging.getLogger("aiohttp.access").info("a request")
    writer.close()
    assert "mine" in stream.getvalue()
    assert "listenKey" not in stream.getvalue()
    assert "a request" not in stream.getvalue()


def test_a_reader_that_does_not_read_holds_up_nobody(tmp_path: Path) -> None:
    stuck = threading.Event()

    class Pipe(io.StringIO):
        def write(self, text: str) -> int:
            stuck.wait(20)
            return len(text)

    writer, _ = started(tmp_path, Pipe())
    began = time.monotonic()
    for number in range(10_050):
        logging.getLogger("execactor").info("line %d", number)
    writer.close()
    assert time.monotonic() - began < 10
    assert 0 < writer.dropped <= 50
    stuck.set()


def test_a_whole_trading_run_at_debug_level_tells_no_secret(processes: Processes, tmp_path: Path) -> None:
    file = processes.configuration(processes.simulator(), '[log]\nlevel = "DEBUG"\n[decisions]\npath = "decisions"\n')
    (tmp_path / "decisions").mkdir()
    engine = processes.engine(file)
    assert eventually(lambda: _mark(file) is not None)
    draft = tmp_path / "draft"
    draft.write_bytes(decision("BTCUSDT", _mark(file), key="d1"))
    draft.rename(tmp_path / "decisions" / "d1.json")
    assert eventually(lambda: len(json.loads(execactor("orders", "-c", str(file), "--json", "--live").stdout)) == 3)
    assert engine.stop() == 0
    log = (tmp_path / "logs" / "engine.log").read_text()
    assert "decision d1" in log
    places = [engine.output, log, (tmp_path / "run" / "journal.db").read_bytes().decode("latin-1")]
    for secret in KEYS.values():
        assert not any(secret in place for place in places)
    assert (tmp_path / "run" / "journal.db").stat().st_mode & 0o077 == 0


def _mark(file: Path) -> Any:
    answer = json.loads(execactor("positions", "-c", str(file), "--json").stdout)[0]["mark_price"]
    return None if answer is None else Decimal(answer)
