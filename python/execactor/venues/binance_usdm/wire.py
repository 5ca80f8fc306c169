"""The venue's JSON, typed: only the fields that are used. Names of fields are the venue's (fact sheet 3 and 8)."""

from decimal import Decimal

import msgspec


class OrderData(msgspec.Struct):
    """`o` of ORDER_TRADE_UPDATE."""

    s: str
    c: str
    S: str
    o: str
    f: str
    q: Decimal
    p: Decimal
    ap: Decimal
    x: str
    X: str
    i: int
    l: Decimal  # noqa: E741  the venue's name
    z: Decimal
    L: Decimal
    t: int
    T: int = 0
    m: bool = False
    R: bool = False
    n: Decimal | None = None
    N: str | None = None
    rp: Decimal = Decimal(0)
    er: str | int | None = None
    ot: str = ""


class OrderTradeUpdate(msgspec.Struct):
    """A regular order changed or traded."""

    E: int
    T: int
    o: OrderData


class BalanceData(msgspec.Struct):
    """One element of `B` of ACCOUNT_UPDATE: asset and wallet balance."""

    a: str
    wb: Decimal


class PositionData(msgspec.Struct):
    """One element of `P` of ACCOUNT_UPDATE."""

    s: str
    pa: Decimal
    ep: Decimal
    ps: str = "BOTH"


class AccountData(msgspec.Struct):
    """`a` of ACCOUNT_UPDATE."""

    m: str
    B: list[BalanceData] = []
    P: list[PositionData] = []


class AccountUpdate(msgspec.Struct):
    """Balances or positions changed."""

    E: int
    T: int
    a: AccountData


class AlgoData(msgspec.Struct):
    """`o` of ALGO_UPDATE. What does not apply is empty text, null or absent."""

    caid: str
    aid: int
    o: str
    s: str
    S: str
    X: str
    tp: str | None = None
    q: str | None = None
    ai: str | int = ""
    aq: str | None = None
    cp: bool = False
    R: bool = False
    rm: str = ""


class AlgoUpdate(msgspec.Struct):
    """A conditional order changed. T is the event's time and E the transaction's: swapped against other events."""

    T: int
    o: AlgoData


class ListenKeyExpired(msgspec.Struct):
    """No further events come until there is a new key."""

    E: str | int = 0


class OrderObject(msgspec.Struct):
    """A regular order in an answer. avgPrice is absent from answers to entry and cancel since 2026-07-15."""

    symbol: str
    clientOrderId: str  # noqa: N815
    orderId: int  # noqa: N815
    side: str
    type: str
    status: str
    origQty: Decimal  # noqa: N815
    executedQty: Decimal  # noqa: N815
    price: Decimal = Decimal(0)
    avgPrice: Decimal | None = None  # noqa: N815
    reduceOnly: bool = False  # noqa: N815
    updateTime: int = 0  # noqa: N815
    origType: str = ""  # noqa: N815


class AlgoObject(msgspec.Struct):
    """A conditional order in an answer. Some listings name the type `type`, others `orderType`.

    What does not apply is empty text, null or absent: the trigger price of a trailing stop, for one.
    """

    symbol: str
    clientAlgoId: str  # noqa: N815
    algoId: int  # noqa: N815
    side: str
    algoStatus: str  # noqa: N815
    triggerPrice: str | None = None  # noqa: N815
    orderType: str = ""  # noqa: N815
    type: str = ""
    quantity: str | None = None
    closePosition: bool = False  # noqa: N815
    reduceOnly: bool = False  # noqa: N815
    actualOrderId: str | int = ""  # noqa: N815
    actualQty: str | None = None  # noqa: N815
    updateTime: int = 0  # noqa: N815


class AlgoCancelled(msgspec.Struct):
    """The answer to the cancel of a conditional order; `code` is text here, a number elsewhere."""

    algoId: int  # noqa: N815
    code: str | int = 200
    msg: str = ""


class TradeObject(msgspec.Struct):
    """One element of userTrades. It carries no client id."""

    symbol: str
    id: int
    orderId: int  # noqa: N815
    side: str
    price: Decimal
    qty: Decimal
    commission: Decimal
    commissionAsset: str  # noqa: N815
    realizedPnl: Decimal  # noqa: N815
    maker: bool
    time: int


class PositionObject(msgspec.Struct):
    """One element of positionRisk."""

    symbol: str
    positionAmt: Decimal  # noqa: N815
    entryPrice: Decimal  # noqa: N815
    markPrice: Decimal = Decimal(0)  # noqa: N815
    positionSide: str = "BOTH"  # noqa: N815
    updateTime: int = 0  # noqa: N815


class BalanceObject(msgspec.Struct):
    """One element of balance."""

    asset: str
    balance: Decimal


class SymbolConfig(msgspec.Struct):
    """One element of symbolConfig."""

    symbol: str
    marginType: str  # noqa: N815
    leverage: int


class ErrorBody(msgspec.Struct):
    """The body of a refusal. data: over the WebSocket API, RetryData with 429 and 418."""

    code: int = 0
    msg: str = ""
    data: msgspec.Raw = msgspec.Raw()


class RetryData(msgspec.Struct):
    """When to come back, in the venue's time."""

    serverTime: int  # noqa: N815
    retryAfter: int  # noqa: N815


class LimitUse(msgspec.Struct):
    """One rate limit and its use, as answers of the WebSocket API and exchangeInfo state it."""

    rateLimitType: str  # noqa: N815
    interval: str
    intervalNum: int  # noqa: N815
    limit: int
    count: int = 0


class ApiAnswer(msgspec.Struct):
    """One frame of the WebSocket API."""

    id: int | str | None = None
    status: int = 0
    result: msgspec.Raw = msgspec.Raw()
    error: ErrorBody | None = None
    rateLimits: list[LimitUse] = []  # noqa: N815


class BookTicker(msgspec.Struct):
    """Best bid and ask."""

    s: str
    b: Decimal
    B: Decimal
    a: Decimal
    A: Decimal
    T: int


class BookTickerFrame(msgspec.Struct):
    """bookTicker in its combined-stream wrapper."""

    data: BookTicker


class MarkPriceUpdate(msgspec.Struct):
    """Mark price."""

    s: str
    p: Decimal
    E: int


class MarkPriceFrame(msgspec.Struct):
    """markPrice in its combined-stream wrapper."""

    data: MarkPriceUpdate
