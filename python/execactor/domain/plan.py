"""A plan: what the position machine is to do, made from a decision or from a signal."""

from decimal import Decimal

import msgspec

from execactor.domain.side import Side


class Target(msgspec.Struct, frozen=True):
    """A take-profit: at `price` (quote per base) close `fraction` of the filled entry; the last one closes the rest."""

    price: Decimal
    fraction: Decimal


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One trade to make: entry, stop and targets.

    key: the decision key; every client order id of the trade is made from it.
    side: BUY opens a long. entry_price: limit price in quote units, None enters at market.
    quantity: base units, whole steps. stop_price None only where the strategy's policy allows it.
    valid_until_ms: wall time after which no entry may be placed or rest.
    body_hash: identifies the content, so that the same key with another body is refused.
    received_ns: monotonic time of intake; latency is measured from here.
    """

    key: str
    symbol: str
    side: Side
    quantity: Decimal
    entry_price: Decimal | None
    stop_price: Decimal | None
    targets: tuple[Target, ...] = ()
    valid_until_ms: int
    timestamp_ms: int
    body_hash: str
    received_ns: int = 0
    source: str = "decision"
