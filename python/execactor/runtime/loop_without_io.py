"""The part of asyncio's event loop that virtual time cannot offer."""

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn


class NotSimulated(NotImplementedError):
    """A service of an event loop that virtual time cannot offer: sockets, pipes, signals, child processes, threads."""


class _Refused:
    """A method that says what is missing, at once, instead of failing somewhere inside asyncio."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, loop: object, owner: type) -> Callable[..., NoReturn]:
        return self._refuse

    def _refuse(self, *_args: object, **_options: object) -> NoReturn:
        raise NotSimulated(f"{self._name}() does not exist in virtual time; give the program a simulated transport")


class LoopWithoutIo(asyncio.AbstractEventLoop):
    """An event loop that refuses all input and output."""

    add_reader: Any = _Refused()
    remove_reader: Any = _Refused()
    add_writer: Any = _Refused()
    remove_writer: Any = _Refused()
    add_signal_handler: Any = _Refused()
    remove_signal_handler: Any = _Refused()
    create_connection: Any = _Refused()
    create_server: Any = _Refused()
    create_datagram_endpoint: Any = _Refused()
    start_tls: Any = _Refused()
    connect_accepted_socket: Any = _Refused()
    create_unix_connection: Any = _Refused()
    create_unix_server: Any = _Refused()
    sendfile: Any = _Refused()
    sock_accept: Any = _Refused()
    sock_connect: Any = _Refused()
    sock_recv: Any = _Refused()
    sock_recv_into: Any = _Refused()
    sock_recvfrom: Any = _Refused()
    sock_recvfrom_into: Any = _Refused()
    sock_sendall: Any = _Refused()
    sock_sendfile: Any = _Refused()
    sock_sendto: Any = _Refused()
    getaddrinfo: Any = _Refused()
    getnameinfo: Any = _Refused()
    connect_read_pipe: Any = _Refused()
    connect_write_pipe: Any = _Refused()
    subprocess_shell: Any = _Refused()
    subprocess_exec: Any = _Refused()
    set_default_executor: Any = _Refused()
    set_task_factory: Any = _Refused()
