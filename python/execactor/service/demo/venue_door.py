"""The simulated venue's back door (/sim): look at it, move its market, write notes into its log."""

from decimal import Decimal
from types import TracebackType
from typing import Any, Self

import aiohttp

from execactor.domain.errors import ExecactorError


class VenueDoor:
    """One simulator, from the harness's side."""

    def __init__(self, rest_url: str) -> None:
        self._url = rest_url
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def mark(self, symbol: str) -> Decimal:
        """The mark price now, quote per base."""
        return Decimal((await self._get("state"))["marks"][symbol])

    async def last(self, symbol: str) -> Decimal:
        """The price of the last trade, quote per base."""
        return Decimal((await self._get("state"))["last_prices"][symbol])

    async def steer(self, symbol: str, target: Decimal, seconds: float) -> None:
        """Drift a generated market to a price within so many seconds of market time."""
        await self._post("market", {"symbol": symbol, "target": f"{target:f}", "seconds": seconds})

    async def note(self, text: str, **fields: Any) -> None:
        """A line of the harness in the venue's log."""
        await self._post("note", {"text": text, **fields})

    async def _get(self, what: str) -> dict[str, Any]:
        async with self._session.get(f"{self._url}/sim/{what}") as answer:
            return dict(await answer.json())

    async def _post(self, what: str, body: dict[str, Any]) -> None:
        async with self._session.post(f"{self._url}/sim/{what}", json=body) as answer:
            if answer.status != 200:
                raise ExecactorError(f"POST /sim/{what} was answered {answer.status}: {await answer.text()}")
