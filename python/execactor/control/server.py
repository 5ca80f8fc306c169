"""The server of the control socket, on the trading process's own loop: bounded everywhere, so that no client hurts."""

import asyncio
import logging
import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from execactor.control import frames
from execactor.control.frames import BadFrame, End, Event, JournalEvent, Problem, Reply, Request
from execactor.control.methods import METHODS, From, Refused
from execactor.domain.errors import ConfigurationError, ExecactorError

if TYPE_CHECKING:
    from execactor.engine import Engine

logger = logging.getLogger(__name__)

_PEER_CREDENTIALS = struct.Struct("3i")
_LONGEST_PATH = 107
_PAGE = 32  # records read from the journal in one turn of the loop: about half a millisecond


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What clients may cost. connections: at the same time; buffer_bytes: waiting to be read by one client;
    patience_s: how long a client may leave its buffer full before it is disconnected.
    """

    connections: int = 32
    buffer_bytes: int = 1 << 18
    patience_s: float = 5.0


class ControlServer:
    """Serves one engine to the processes of one user. Use as `async with ControlServer(engine, path)`.

    allowed_uid: whose connections are taken; the engine's own user.
    """

    def __init__(
        self, engine: "Engine", path: Path, *, bounds: Bounds | None = None, allowed_uid: int | None = None
    ) -> None:
        self.engine = engine
        self.path = path
        self._bounds = bounds or Bounds()
        self._allowed_uid = os.getuid() if allowed_uid is None else allowed_uid
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; a socket file that a dead engine left is replaced.

        Raises ConfigurationError when another engine answers there, or when the socket cannot be made.
        """
        if len(os.fsencode(self.path)) > _LONGEST_PATH:
            fix = f"a socket's path may have {_LONGEST_PATH} bytes; choose a shorter directory"
            raise ConfigurationError("data_dir", str(self.path), fix)
        try:
            _close_to_others(self.path.parent)
            _make_room(self.path)
            listener = _listen(self.path)
        except OSError as error:
            fix = f"the control socket cannot be made: {error.strerror}"
            raise ConfigurationError("data_dir", str(self.path), fix) from error
        self._server = await asyncio.start_unix_server(self._on_connection, sock=listener)

    async def stop(self) -> None:
        """End all connections and remove the socket."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        self.path.unlink(missing_ok=True)
        clients = list(self._clients)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            refusal = self._refusal(writer)
            if refusal is not None:
                logger.warning("control connection refused: %s", refusal)
                writer.write(frames.encode(End(end=refusal)))
                return
            writer.transport.set_write_buffer_limits(high=self._bounds.buffer_bytes)
            await self._serve(reader, writer)
        except BadFrame as error:
            writer.write(frames.encode(End(end=str(error))))
        except TimeoutError:
            reason = f"too slow: nothing was read for {self._bounds.patience_s:g} s"
            logger.warning("control client disconnected: %s", reason)
            writer.write(frames.encode(End(end=reason)))
        except ConnectionError:
            pass  # the client is gone, and with it everybody who could be told
        except asyncio.CancelledError:
            writer.write(frames.encode(End(end="the engine stops")))
        finally:
            self._clients.discard(task)
            self._part(writer)

    def _part(self, writer: asyncio.StreamWriter) -> None:
        """Close after what waits is written; a client that does not read is cut off."""
        writer.close()
        if writer.transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(self._bounds.patience_s, writer.transport.abort)

    def _refusal(self, writer: asyncio.StreamWriter) -> str | None:
        if len(self._clients) > self._bounds.connections:
            return f"{self._bounds.connections} clients are connected already"
        peer = writer.get_extra_info("socket")
        raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
        pid, uid, _ = _PEER_CREDENTIALS.unpack(raw)
        if uid != self._allowed_uid:
            return f"process {pid} of user {uid} may not control this engine"
        return None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Requests one after the other; after `subscribe` the connection only carries events."""
        while (body := await frames.read(reader, frames.LARGEST_REQUEST)) is not None:
            request = frames.decode_request(body)
            if request.method == "subscribe":
                await self._subscribe(request, reader, writer)
                return
            writer.write(self._encoded(await self._answer(request)))
            await self._drained(writer)

    async def _answer(self, request: Request) -> Reply:
        known = METHODS.get(request.method)
        if known is None:
            names = ", ".join([*METHODS, "subscribe"])
            return _problem(request, "unknown_method", f"there is no method {request.method!r}; one of {names}")
        params_type, method = known
        try:
            params = msgspec.convert(request.params, params_type)
            return Reply(id=request.id, result=await method(self.engine, params))
        except msgspec.ValidationError as error:
            return _problem(request, "bad_request", f"{request.method}: {error}")
        except Refused as error:
            return _problem(request, "refused", str(error))
        except ExecactorError as error:
            return _problem(request, "not_running", str(error))
        except Exception as error:
            logger.exception("control method %s failed", request.method)
            return _problem(request, "internal", f"{request.method} failed: {error!r}")

    def _encoded(self, reply: Reply) -> bytes:
        try:
            return frames.encode(reply)
        except BadFrame as error:
            return frames.encode(Reply(id=reply.id, error=Problem(code="too_large", message=str(error))))

    async def _subscribe(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            start = msgspec.convert(request.params, From)
        except msgspec.ValidationError as error:
            writer.write(frames.encode(_problem(request, "bad_request", f"subscribe: {error}")))
            return
        writer.write(frames.encode(Reply(id=request.id, result={"seq": self.engine.journal.seq})))
        pump = asyncio.ensure_future(self._pump(writer, start.after))
        hung_up = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({pump, hung_up}, return_when=asyncio.FIRST_COMPLETED)
            if pump.done():
                await pump
        finally:
            for task in (pump, hung_up):
                task.cancel()
                with suppress(asyncio.CancelledError, ConnectionError, TimeoutError):
                    await task

    async def _pump(self, writer: asyncio.StreamWriter, after: int) -> None:
        """Records from the journal, page by page: the journal is the queue, so a slow client costs no memory."""
        news = asyncio.Event()
        with _tapped(self.engine, news):
            while True:
                news.clear()
                rows = list(islice(self.engine.journal.rows(after), _PAGE))
                for row in rows:
                    record = JournalEvent(seq=row.seq, ts_ns=row.ts_ns, kind=row.kind, key=row.key, record=row.record)
                    writer.write(frames.encode(Event(event=record)))
                    after = row.seq
                await self._drained(writer)
                if rows:
                    await asyncio.sleep(0)  # let the trading go first
                else:
                    await news.wait()

    async def _drained(self, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(self._bounds.patience_s):
            await writer.drain()


def _problem(request: Request, code: str, message: str) -> Reply:
    return Reply(id=request.id, error=Problem(code=code, message=message))


@contextmanager
def _tapped(engine: "Engine", news: asyncio.Event) -> Iterator[None]:
    def on_record(_record: Any) -> None:
        news.set()

    end = engine.on_record(on_record)
    try:
        yield
    finally:
        end()


def _close_to_others(directory: Path) -> None:
    """Make the directory, or shut others out of it; one that all may write to (/tmp) was not meant to be ours."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    mode = stat.S_IMODE(directory.stat().st_mode)
    if mode & stat.S_IWOTH:
        raise ConfigurationError("data_dir", str(directory), "everybody may write there; choose a directory of its own")
    if mode != 0o700:
        directory.chmod(0o700)


def _make_room(path: Path) -> None:
    """Remove a dead engine's socket. Raises ConfigurationError when something alive, or something else, is there."""
    if not path.exists() and not path.is_symlink():
        return
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise ConfigurationError("data_dir", str(path), "it exists and is not a socket; remove it")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass  # its backlog is full: somebody listens
    raise ConfigurationError("data_dir", str(path), "another engine answers there; stop it or choose another directory")


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener
