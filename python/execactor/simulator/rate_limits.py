"""Request weights and order counts, as the venue's headers tell them (section 2.2 of the fact sheet)."""

from collections.abc import Callable, Mapping
from typing import Any

WEIGHT_PER_MINUTE = 2400
ORDERS_PER_10S = 300
ORDERS_PER_MINUTE = 1200
CONNECT_WEIGHT = 5  # of opening a connection to the WebSocket API

RULES: tuple[dict[str, Any], ...] = (
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": WEIGHT_PER_MINUTE},
    {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": ORDERS_PER_MINUTE},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": ORDERS_PER_10S},
)


class RateLimits:
    """Counts in fixed windows of the venue's clock. enforce: whether going beyond a limit is refused."""

    def __init__(self, now_ns: Callable[[], int], *, enforce: bool) -> None:
        self._now_ns = now_ns
        self._enforce = enforce
        self._windows = {60: 0, 10: 0}
        self.weight = self.orders_1m = self.orders_10s = 0

    def count(self, weight: int, orders: int) -> None:
        self._roll()
        self.weight += weight
        self.orders_1m += orders
        self.orders_10s += orders

    @property
    def exceeded(self) -> bool:
        """Whether the venue refuses with 429 now."""
        return self._enforce and (
            self.weight > WEIGHT_PER_MINUTE or self.orders_1m > ORDERS_PER_MINUTE or self.orders_10s > ORDERS_PER_10S
        )

    def seconds_to_next_window(self) -> int:
        return 60 - self._now_ns() // 1_000_000_000 % 60

    def headers(self, *, orders: bool) -> Mapping[str, str]:
        shown = {"X-MBX-USED-WEIGHT-1M": str(self.weight)}
        if orders:
            shown["X-MBX-ORDER-COUNT-10S"] = str(self.orders_10s)
            shown["X-MBX-ORDER-COUNT-1M"] = str(self.orders_1m)
        return shown

    def report(self, *, orders: bool) -> list[dict[str, Any]]:
        """`rateLimits` of a WebSocket API answer."""
        weight, minute, ten_seconds = RULES
        if not orders:
            return [{**weight, "count": self.weight}]
        return [
            {**ten_seconds, "count": self.orders_10s},
            {**minute, "count": self.orders_1m},
            {**weight, "count": self.weight},
        ]

    def _roll(self) -> None:
        second = self._now_ns() // 1_000_000_000
        if second // 60 != self._windows[60]:
            self._windows[60] = second // 60
            self.weight = self.orders_1m = 0
        if second // 10 != self._windows[10]:
            self._windows[10] = second // 10
            self.orders_10s = 0
