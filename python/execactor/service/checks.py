"""What `execactor doctor` looks at: each check is a function that returns findings, and changes nothing."""

import contextlib
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import apsw
import msgspec

import execactor
from execactor import _core
from execactor import config as configuration
from execactor.config import Config, Mode
from execactor.control.client import ControlClient, ControlRefused, ControlTimeout, EngineAbsent
from execactor.domain.errors import ConfigurationError, ExecactorError
from execactor.store.journal import OLDEST_SAFE_SQLITE
from execactor.venues.binance_usdm.settings import TESTNET
from execactor.venues.transport import AnswerLost, LiveTransport, NotSent

OFFSET_WARN_MS = 250.0
OFFSET_FAIL_MS = 1_000.0
DISK_WARN_BYTES = 1 << 30
DISK_FAIL_BYTES = 100 << 20
LOOP_LAG_WARN_MS = 20.0
BUSY_THREAD_WARN = 0.2
_TIME_SAMPLES = 5
_BUILT_FROM = ("*/Cargo.toml", "*/build.rs", "*/src/**/*.rs")


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(msgspec.Struct, frozen=True):
    """One check's result. fix: what to do about it, empty when all is well."""

    check: str
    verdict: Verdict
    detail: str
    fix: str = ""


def extension(package: Path | None = None) -> Iterator[Finding]:
    """The Rust extension: how it was built, and whether its sources are newer. package: the Python package's folder."""
    build = _core.build_info()
    described = ", ".join(f"{name} {value}" for name, value in build.items())
    if build["profile"] == "release":
        yield Finding("extension", Verdict.OK, described)
    else:
        yield Finding("extension", Verdict.WARN, described, "it was built for debugging and is slow: run `make build`")
    folder = package or Path(execactor.__file__).parent
    rust = folder.parents[1] / "rust"
    if rust.is_dir():
        yield _age(next(folder.glob("_core*.so")), rust)


def _age(library: Path, rust: Path) -> Finding:
    sources = [source for pattern in _BUILT_FROM for source in rust.glob(pattern)]
    newest = max(sources, key=lambda source: source.stat().st_mtime)
    if newest.stat().st_mtime <= library.stat().st_mtime:
        return Finding("extension sources", Verdict.OK, "none is newer than the extension")
    detail = f"{newest.relative_to(rust.parent)} is newer than {library.name}"
    return Finding("extension sources", Verdict.FAIL, detail, "run `make build`")


def sqlite() -> Iterator[Finding]:
    """The SQLite inside apsw: older ones can lose a write-ahead log."""
    version = apsw.sqlite_lib_version()
    wanted = ".".join(str(part) for part in OLDEST_SAFE_SQLITE)
    if tuple(int(part) for part in version.split(".")) >= OLDEST_SAFE_SQLITE:
        yield Finding("sqlite", Verdict.OK, f"{version} (apsw {apsw.apsw_version()})")
    else:
        yield Finding("sqlite", Verdict.FAIL, version, f"{wanted} or newer is needed: update apsw")


def settings(file: Path) -> tuple[Config | None, Finding]:
    """The configuration file, and what is wrong with it."""
    try:
        config = configuration.load(file)
    except ConfigurationError as error:
        return None, Finding("configuration", Verdict.FAIL, f"{error.key} = {error.value!r}", error.fix)
    return config, Finding("configuration", Verdict.OK, f"{file}: mode {config.mode}, {' '.join(config.symbols)}")


def keys(config: Config) -> Iterator[Finding]:
    """Whether key and secret are there; never what they are."""
    try:
        configuration.credentials(config)
    except ConfigurationError as error:
        yield Finding("keys", Verdict.FAIL, error.key, error.fix)
    else:
        yield Finding("keys", Verdict.OK, "key and secret are set")


def permissions(config: Config) -> Iterator[Finding]:
    """That nobody else may read secrets and journal, or control the engine."""
    places = ((".env", config.path(".env"), 0o600), ("data directory", config.data_path, 0o700))
    for name, path, wanted in (*places, ("control socket", config.control_socket, 0o600)):
        if not path.exists():
            yield Finding(name, Verdict.OK, f"{path} does not exist")
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & ~wanted:
            yield Finding(name, Verdict.FAIL, f"{path} has mode {mode:04o}", f"chmod {wanted:o} {path}")
        else:
            yield Finding(name, Verdict.OK, f"{path} has mode {mode:04o}")


def disk(config: Config) -> Iterator[Finding]:
    """Room for the journal."""
    folder = next(path for path in (config.data_path, *config.data_path.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    detail = f"{free / (1 << 30):.1f} GiB free at {folder}"
    if free < DISK_WARN_BYTES:
        verdict = Verdict.FAIL if free < DISK_FAIL_BYTES else Verdict.WARN
        yield Finding("disk", verdict, detail, "free some space: the journal must never find the disk full")
    else:
        yield Finding("disk", Verdict.OK, detail)


async def engine(config: Config) -> list[Finding]:
    """Whether an engine answers, and what holds its loop; no engine is no fault."""
    try:
        async with await ControlClient.connect(config.control_socket, 2.0) as client:
            answer = await client.call("ping")
            found = [Finding("engine", Verdict.OK, f"process {answer['pid']} is {answer['state']}")]
            with contextlib.suppress(ControlRefused):  # it may be on its way out
                found.append(loop_finding(await client.call("status")))
    except EngineAbsent:
        return [Finding("engine", Verdict.OK, "not running")]
    except ControlTimeout as error:
        return [Finding("engine", Verdict.FAIL, "it holds its socket and does not answer", str(error))]
    except ExecactorError as error:
        return [Finding("engine", Verdict.FAIL, str(error), "ask as the user that runs the engine")]
    return found


def loop_finding(status: Mapping[str, Any]) -> Finding:
    """Whether something holds the trading thread, from what `status` tells."""
    lag_ms = status["loop_lag_us"]["p99"] / 1_000
    slow = status["slow_handlers"]
    busy = [each["name"] for each in status["busy_threads"] if each["share"] > BUSY_THREAD_WARN]
    detail = f"late p99 {lag_ms:.1f} ms, {slow} slow handlers"
    if busy:
        return Finding("loop", Verdict.WARN, f"{detail}; busy beside it: {', '.join(busy)}", "move that work elsewhere")
    if slow or lag_ms > LOOP_LAG_WARN_MS:
        return Finding("loop", Verdict.WARN, detail, "the log names what held it, with its stack; is the machine busy?")
    return Finding("loop", Verdict.OK, detail)


async def clock(config: Config) -> Finding:
    """Our clock against the venue's, by the fastest of a few answers (half its round trip is the error)."""
    base = TESTNET.rest if config.mode is Mode.TESTNET else config.venue.rest_url
    url = f"{base}/fapi/v1/time"
    transport = LiveTransport()
    best: tuple[float, float] | None = None  # (round trip, offset), milliseconds
    try:
        for _ in range(_TIME_SAMPLES):
            sent_ms = time.time() * 1_000
            answer = await transport.request("GET", url, headers={}, timeout_s=5)
            back_ms = time.time() * 1_000
            venue_ms = msgspec.json.decode(answer.body)["serverTime"]
            sample = (back_ms - sent_ms, venue_ms - (sent_ms + back_ms) / 2)
            best = sample if best is None else min(best, sample)
    except (NotSent, AnswerLost) as error:
        return Finding("clock", Verdict.FAIL, str(error), _reach(config))
    except (msgspec.MsgspecError, KeyError, TypeError):
        return Finding("clock", Verdict.FAIL, f"{url} does not answer like a venue", _reach(config))
    finally:
        await transport.close()
    assert best is not None
    round_trip_ms, offset_ms = best
    detail = f"the venue's minus ours is {offset_ms:+.1f} ms, round trip {round_trip_ms:.1f} ms"
    if abs(offset_ms) <= OFFSET_WARN_MS + round_trip_ms / 2:
        return Finding("clock", Verdict.OK, detail)
    verdict = Verdict.FAIL if abs(offset_ms) > OFFSET_FAIL_MS else Verdict.WARN
    return Finding("clock", verdict, detail, "set this machine's clock by NTP (chrony, systemd-timesyncd)")


def _reach(config: Config) -> str:
    if config.mode is Mode.SIM:
        return "start `execactor simulator`, or correct venue.rest_url"
    return "check this machine's network"
