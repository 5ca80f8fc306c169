"""The spot market's JSON, typed: only the fields that are used. Names of fields are the venue's (fact sheet 7)."""

from decimal import Decimal

import msgspec


class Execution(msgspec.Struct):
    """executionReport. t is -1 without a trade; n without a trade is 0, and N null."""

    s: str
    c: str
    S: str
    o: str
    q: Decimal
    p: Decimal
    x: str
    X: str
    i: int
    l: Decimal  # noqa: E741  the venue's name
    z: Decimal
    L: Decimal
    Z: Decimal
    T: int
    t: int = -1
    C: str = ""
    m: bool = False
    n: Decimal | None = None
    N: str | None = None
    r: str = "NONE"
    eR: str = ""  # noqa: N815


class Balance(msgspec.Struct):
    """One element of `B`: asset, free, locked."""

    a: str
    f: Decimal
    l: Decimal  # noqa: E741  the venue's name


class AccountPosition(msgspec.Struct):
    """outboundAccountPosition, and outboundAccountInfo, which it replaced in 2021."""

    u: int
    B: list[Balance]


class BalanceUpdate(msgspec.Struct):
    """balanceUpdate: a deposit, a withdrawal, or a transfer between accounts."""

    a: str
    d: Decimal
    T: int
