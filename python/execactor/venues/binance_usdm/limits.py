"""The venue's rate limits: which there are, how answers report their use, and when to stop altogether."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from execactor.venues.binance_frames import BAD_JSON
from execactor.venues.binance_usdm import wire
from execactor.venues.binance_usdm.error_codes import Refusal
from execactor.venues.rate_limit import Kind, Limit, RateLimiter

DEFAULT: Final = (Limit("weight", 2_400, 60), Limit("orders", 300, 10), Limit("orders", 1_200, 60))
"""As documented; exchangeInfo has the true ones."""

_HEADERS: Mapping[str, tuple[Kind, int]] = {
    "x-mbx-used-weight-1m": ("weight", 60),
    "x-mbx-order-count-10s": ("orders", 10),
    "x-mbx-order-count-1m": ("orders", 60),
}
_KINDS: Mapping[str, Kind] = {"REQUEST_WEIGHT": "weight", "ORDERS": "orders"}
_SECONDS: Mapping[str, int] = {"SECOND": 1, "MINUTE": 60, "HOUR": 3_600, "DAY": 86_400}
_NS_PER_MS = 1_000_000
_RETRY = msgspec.json.Decoder(wire.RetryData)


def published(uses: Iterable[wire.LimitUse]) -> tuple[Limit, ...]:
    """The limits that exchangeInfo states; the documented ones when it states none."""
    limits = tuple(
        Limit(_KINDS[use.rateLimitType], use.limit, _SECONDS[use.interval] * use.intervalNum)
        for use in uses
        if use.rateLimitType in _KINDS and use.interval in _SECONDS
    )
    return limits or DEFAULT


def observe_headers(limiter: RateLimiter, headers: Mapping[str, str]) -> None:
    """Adopt the counts of a REST answer."""
    for name, (kind, interval_s) in _HEADERS.items():
        used = headers.get(name, "")
        if used.isdigit():
            limiter.observe(kind, interval_s, int(used))


def observe_uses(limiter: RateLimiter, uses: Iterable[wire.LimitUse]) -> None:
    """Adopt the counts of an answer of the WebSocket API."""
    for use in uses:
        if use.rateLimitType in _KINDS and use.interval in _SECONDS:
            limiter.observe(_KINDS[use.rateLimitType], _SECONDS[use.interval] * use.intervalNum, use.count)


def asked_wait_ms(error: wire.ErrorBody) -> int:
    """For how long a refusal over the WebSocket API asks us to wait (REST says it in a header); 0 when it does not."""
    try:
        data = _RETRY.decode(error.data)
    except BAD_JSON:
        return 0
    return max(0, data.retryAfter - data.serverTime)


def honour(limiter: RateLimiter, refusal: Refusal) -> None:
    """Stop everything for as long as the refusal says, when it is of the kind that concerns everything (429, 418)."""
    if refusal.stops_everything:
        limiter.stop(refusal.retry_after_ms * _NS_PER_MS, str(refusal))
