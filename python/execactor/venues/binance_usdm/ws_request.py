"""Signed requests of the WebSocket API as text, from templates: sorting and encoding each anew takes longer."""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

import msgspec

from execactor.venues.binance_usdm.encode import Params
from execactor.venues.signing import HmacSigner

_API_KEY = "apiKey"
_RECV_WINDOW = "recvWindow"
_TIMESTAMP = "timestamp"


class _Template(msgspec.Struct, frozen=True):
    """A kind of request, i.e. a method and the names of its parameters; both texts have a place for each value.

    values: takes the values out of the parameters, in alphabetical order of the names.
    """

    values: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    payload: str
    frame: str


class SignedRequests:
    """Writes the requests of one account.

    The signature is over all parameters in alphabetical order, joined like a query but not percent-encoded (fact
    sheet section 6). Whole numbers are JSON numbers, all else is JSON text.
    """

    def __init__(self, api_key: str, signer: HmacSigner, recv_window_ms: int) -> None:
        self._api_key = api_key
        self._signer = signer
        self._recv_window_ms = recv_window_ms
        self._templates: dict[tuple[str, ...], _Template] = {}

    def frame(self, request_id: int, method: str, params: Params, timestamp_ms: int) -> bytes:
        """One request. Values must be plain (quirks.SAFE_UNQUOTED), since nothing is escaped here."""
        kind = (method, *params)
        template = self._templates.get(kind) or self._template(kind, method, params)
        values = template.values({**params, _TIMESTAMP: timestamp_ms})
        signature = self._signer.sign((template.payload % values).encode())
        return (template.frame % (request_id, *values, signature)).encode()

    def _template(self, kind: tuple[str, ...], method: str, params: Params) -> _Template:
        fixed: Params = {_API_KEY: self._api_key, _RECV_WINDOW: self._recv_window_ms}
        every = {**params, _TIMESTAMP: 0, **fixed}
        payload, members, taken = [], [], []
        for name in sorted(every):
            value = every[name]
            if name in fixed:
                payload.append(f"{name}={value}".replace("%", "%%"))
                members.append(f"{_json(name)}:{_json(value)}".replace("%", "%%"))
            else:
                taken.append(name)
                payload.append(f"{name}=%s")
                members.append(f"{_json(name)}:%s" if isinstance(value, int) else f'{_json(name)}:"%s"')
        members.append('"signature":"%s"')
        made = self._templates[kind] = _Template(
            values=_take(taken),
            payload="&".join(payload),
            frame=f'{{"id":%s,"method":{_json(method)},"params":{{{",".join(members)}}}}}',
        )
        return made


def _json(value: str | int) -> str:
    return msgspec.json.encode(value).decode()


def _take(names: list[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    # With a single name itemgetter would give the value instead of a tuple of one.
    return itemgetter(*names) if len(names) > 1 else lambda params: (params[names[0]],)
