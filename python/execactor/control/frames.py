"""Frames of the control socket: a 4-byte big-endian length, then a MessagePack map."""

import asyncio
import struct
from typing import Any

import msgspec

from execactor.domain.errors import ExecactorError

LARGEST_REQUEST = 1 << 20
LARGEST_ANSWER = 16 << 20
_LENGTH = struct.Struct(">I")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One question; params are the method's own."""

    id: int
    method: str
    params: dict[str, Any] = {}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request was not followed. code: bad_request, unknown_method, refused, not_running, too_large, internal."""

    code: str
    message: str


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to the request of that id: either a result (which may be None) or an error."""

    id: int
    result: Any = msgspec.UNSET
    error: Problem | msgspec.UnsetType = msgspec.UNSET


class JournalEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A journal record on its way to a subscriber; ts_ns is wall time."""

    seq: int
    ts_ns: int
    kind: str
    key: str
    record: Any


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One journal record for a subscriber."""

    event: JournalEvent


class End(msgspec.Struct, frozen=True, kw_only=True):
    """The last frame of a connection that the engine ends, and why."""

    end: str


class BadFrame(ExecactorError):
    """A frame that is too large or is no message; the connection cannot go on."""


_encoder = msgspec.msgpack.Encoder()
_requests = msgspec.msgpack.Decoder(Request)


def encode(message: Request | Reply | Event | End, largest: int = LARGEST_ANSWER) -> bytes:
    """A message with its length. Raises BadFrame when it is larger than `largest` bytes."""
    body = _encoder.encode(message)
    if len(body) > largest:
        raise BadFrame(f"a message of {len(body)} bytes is above the limit of {largest}")
    return _LENGTH.pack(len(body)) + body


async def read(reader: asyncio.StreamReader, largest: int) -> bytes | None:
    """The next frame's body; None at the end of the connection. Raises BadFrame for one that is too large or torn."""
    try:
        head = await reader.readexactly(_LENGTH.size)
    except asyncio.IncompleteReadError as torn:
        if torn.partial:
            raise BadFrame("the connection ended inside a frame") from None
        return None
    (length,) = _LENGTH.unpack(head)
    if length > largest:
        raise BadFrame(f"a frame of {length} bytes is above the limit of {largest}")
    try:
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        raise BadFrame("the connection ended inside a frame") from None


def decode_request(body: bytes) -> Request:
    """Raises BadFrame for what is no request."""
    try:
        return _requests.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadFrame(f"not a request: {error}") from None


def decode_message(body: bytes) -> dict[str, Any]:
    """What the engine sent, as plain data. Raises BadFrame."""
    try:
        return msgspec.msgpack.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadFrame(f"not a message: {error}") from None
