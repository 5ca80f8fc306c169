"""A client of the simulated venue over real sockets, that signs for itself."""

import hashlib
import hmac
import time
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
import orjson

from execactor.simulator import SimulatedVenue, SimulatorConfig


class Client:
    """HTTP and WebSockets of one venue, for as long as the `async with` lasts."""

    def __init__(self, config: SimulatorConfig, rest_url: str) -> None:
        self.config = config
        self.rest_url = rest_url
        self.ws_url = rest_url.replace("http", "ws")
        self._http = aiohttp.ClientSession()
        self._last_id = 0

    @classmethod
    def of(cls, venue: SimulatedVenue) -> "Client":
        return cls(venue.venue.config, venue.rest_url)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._http.close()

    async def call(self, method: str, path: str, *, body: bool = False, **params: Any) -> tuple[int, Any, Any]:
        """One signed call; returns (status, JSON, headers)."""
        payload = urlencode({**params, "timestamp": int(time.time() * 1000)})
        payload += f"&signature={self._sign(payload)}"
        form = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        headers = {"X-MBX-APIKEY": self.config.api_key, **form}
        url = f"{self.rest_url}{path}" + ("" if body else f"?{payload}")
        async with self._http.request(method, url, headers=headers, data=payload if body else None) as response:
            return response.status, await response.json(), response.headers

    async def sim(self, method: str, path: str, **body: Any) -> tuple[int, Any]:
        async with self._http.request(method, f"{self.rest_url}/sim{path}", data=orjson.dumps(body)) as response:
            return response.status, await response.json()

    async def connect(self, path: str) -> aiohttp.ClientWebSocketResponse:
        return await self._http.ws_connect(f"{self.ws_url}{path}")

    async def listen(self) -> aiohttp.ClientWebSocketResponse:
        """The private stream."""
        _, answer, _ = await self.call("POST", "/fapi/v1/listenKey")
        return await self.connect(f"/private/ws?listenKey={answer['listenKey']}")

    def ws_request(self, method: str, **params: Any) -> str:
        """The text of one signed WebSocket API request."""
        self._last_id += 1
        sent = {**params, "apiKey": self.config.api_key, "timestamp": int(time.time() * 1000)}
        sent["signature"] = self._sign("&".join(f"{name}={sent[name]}" for name in sorted(sent)))
        return orjson.dumps({"id": self._last_id, "method": method, "params": sent}).decode()

    def _sign(self, payload: str) -> str:
        return hmac.new(self.config.api_secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


async def next_event(ws: aiohttp.ClientWebSocketResponse, name: str) -> Any:
    """The next frame with this event name."""
    while True:
        frame = await ws.receive_json(timeout=10)
        if frame.get("e") == name:
            return frame
