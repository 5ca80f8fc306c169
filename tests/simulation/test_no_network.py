"""D9: the whole engine trades against the simulated venue without a byte to any other machine."""

import ipaddress
import sys
from pathlib import Path
from typing import Any

from engine_session import session

_SEEN: list[tuple[str, Any]] = []
_LISTENING = [False]


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _LISTENING[0] and event in {"socket.connect", "socket.getaddrinfo", "socket.sendto"}:
        _SEEN.append((event, arguments[0] if event == "socket.getaddrinfo" else arguments[1]))


sys.addaudithook(_hook)  # an audit hook cannot be taken back; it is silent outside of the test


def _local(address: Any) -> bool:
    if isinstance(address, (str, bytes)) and str(address).startswith("/"):
        return True  # a Unix-domain socket
    host = address[0] if isinstance(address, tuple) else address
    if host in (None, "localhost", b"localhost"):
        return True
    return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host).is_loopback


async def test_D9_a_trade_from_entry_to_exit_talks_to_loopback_alone(tmp_path: Path) -> None:  # noqa: N802
    _SEEN.clear()
    _LISTENING[0] = True
    try:
        async with session(tmp_path) as s:
            await s.open("local")
            s.move("1.5")
            await s.idle()
            assert len(s.engine.trades()) == 1
    finally:
        _LISTENING[0] = False
    assert _SEEN, "the hook hears connections"
    assert [address for _, address in _SEEN if not _local(address)] == []


def test_D9_the_hook_would_notice_another_machine() -> None:  # noqa: N802
    _SEEN.clear()
    _LISTENING[0] = True
    try:
        sys.audit("socket.connect", None, ("192.0.2.1", 9))  # what a connection would raise; nothing is sent
    finally:
        _LISTENING[0] = False
    assert [_local(address) for _, address in _SEEN] == [False]


def test_D9_the_tests_fail_below_the_coverage_that_is_asked_for() -> None:  # noqa: N802
    makefile = (Path(__file__).parents[2] / "Makefile").read_text()
    assert int(makefile.split("--cov-fail-under=")[1].split()[0]) >= 70
