"""What the adapter is started with: addresses, keys, and how the account is to be set."""

from enum import StrEnum
from typing import Literal

import msgspec

from execactor.domain.errors import ConfigurationError
from execactor.venues.signing import Secret

MAX_RECV_WINDOW_MS = 2_000


class Urls(msgspec.Struct, frozen=True, kw_only=True):
    """Base addresses, without a trailing slash. The routes /public, /market and /private lie under `streams`."""

    rest: str
    streams: str
    ws_api: str


TESTNET = Urls(
    rest="https://demo-fapi.binance.com",
    streams="wss://fstream.binancefuture.com",
    ws_api="wss://testnet.binancefuture.com",
)
"""The documented test venue of the end of 2025 (fact sheet section 1)."""


def sim_urls(rest_url: str, ws_url: str) -> Urls:
    """Addresses of a simulated venue, e.g. http://127.0.0.1:8181 and ws://127.0.0.1:8181."""
    return Urls(rest=rest_url.rstrip("/"), streams=ws_url.rstrip("/"), ws_api=ws_url.rstrip("/"))


class MarginType(StrEnum):
    """How margin is held: per position, or shared by all of them."""

    ISOLATED = "ISOLATED"
    CROSSED = "CROSSED"


class BinanceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One account at Binance USDⓈ-M futures, traded in one-way mode.

    symbols: those traded, whose market data is streamed and whose leverage and margin type are set at connect.
    order_path: "ws" sends orders over the WebSocket API, and over REST while that is down; "rest" always over REST.
    recv_window_ms: how long after its timestamp a request may still be executed. answer_timeout_ms: after which a
    write without an answer is Unknown. rate_wait_ms: the longest that an order waits for the rate limit before it
    is refused as retryable.
    """

    urls: Urls
    api_key: Secret
    api_secret: Secret
    symbols: tuple[str, ...]
    leverage: int = 3
    margin_type: MarginType = MarginType.ISOLATED
    margin_asset: str = "USDT"
    order_path: Literal["ws", "rest"] = "ws"
    recv_window_ms: int = MAX_RECV_WINDOW_MS
    answer_timeout_ms: int = 1_000
    read_timeout_ms: int = 2_000
    rate_wait_ms: int = 1_000

    def __post_init__(self) -> None:
        """Raises ConfigurationError for a value that the venue or the engine's rules do not allow."""
        if not 1 <= self.recv_window_ms <= MAX_RECV_WINDOW_MS:
            raise ConfigurationError("recv_window_ms", self.recv_window_ms, f"choose 1 to {MAX_RECV_WINDOW_MS}")
        if not 1 <= self.leverage <= 125:
            raise ConfigurationError("leverage", self.leverage, "choose 1 to 125, the range of the venue")
        for key in ("answer_timeout_ms", "read_timeout_ms"):
            if getattr(self, key) < 1:
                raise ConfigurationError(key, getattr(self, key), "choose a number of milliseconds above 0")
        if self.rate_wait_ms < 0:
            raise ConfigurationError("rate_wait_ms", self.rate_wait_ms, "choose 0 or more milliseconds")
        if not self.symbols:
            raise ConfigurationError("symbols", self.symbols, "name at least one symbol, e.g. BTCUSDT")
        strange = [symbol for symbol in self.symbols if not (symbol.isascii() and symbol == symbol.upper().strip())]
        if strange or len(set(self.symbols)) != len(self.symbols):
            raise ConfigurationError("symbols", self.symbols, "name each symbol once, in capitals, e.g. BTCUSDT")
