"""MarketActor and its books: from depth messages and snapshots to quotes."""

from decimal import Decimal
from typing import Any

import pytest
from actor_stage import SECOND, Stage
from made_up_feed import MadeUpFeed
from rule_makers import SYMBOL

from execactor.actors.market import BookChanged, BookStatus, MarketActor, MarketBooks
from execactor.actors.position import Describe
from execactor.domain.errors import RetryLater
from execactor.domain.messages.market import MarkUpdate, Quote
from execactor.venues.port import BestQuote, MarkPrice


class Market:
    """A MarketActor with its books, and a feed to play to it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.books = MarketBooks(stage.context)
        self.ref = stage.play(MarketActor, self.books, at="market")
        self.feed = MadeUpFeed("futures")

    async def hear(self, *numbers: int) -> None:
        for number in numbers:
            self.books.on_depth(SYMBOL, self.feed.messages[number])
            await self.stage.settle()

    async def status(self) -> BookStatus:
        [status] = await self.stage.ask(self.ref, Describe())
        assert isinstance(status, BookStatus)
        return status

    @property
    def quotes(self) -> list[Quote]:
        return self.stage.told("position", Quote)

    async def live(self) -> None:
        await self.hear(0, 1)
        await self.stage.answer("depth", self.feed.snapshot(1))
        assert (await self.status()).state == "live"

    def best(self, index: int) -> tuple[Decimal, Decimal]:
        """Best bid and ask of the feed's book, as prices."""
        bids, asks = self.feed.levels(index)
        return bids[0][0] * Decimal("0.1"), asks[0][0] * Decimal("0.1")


@pytest.fixture
def market(stage: Stage) -> Market:
    return Market(stage)


async def test_the_first_message_asks_for_one_snapshot(stage: Stage, market: Market) -> None:
    await market.hear(0, 1, 2)
    assert stage.open("depth") == [SYMBOL]
    assert not (await market.status()).tradable


async def test_a_snapshot_makes_the_book_live_and_publishes_its_best_prices(stage: Stage, market: Market) -> None:
    await market.hear(0, 1, 2)
    await stage.answer("depth", market.feed.snapshot(1))
    status = await market.status()
    assert (status.state, status.tradable) == ("live", True)
    [quote] = market.quotes
    assert (quote.bid, quote.ask) == market.best(3)


async def test_a_live_book_follows_the_feed_quote_by_quote(stage: Stage, market: Market) -> None:
    await market.live()
    for number in range(2, 20):
        await market.hear(number)
        assert (market.quotes[-1].bid, market.quotes[-1].ask) == market.best(number + 1)
    assert stage.count("depth") == 1


async def test_unread_changes_of_a_book_are_one_quote(stage: Stage, market: Market) -> None:
    await market.live()
    before = len(market.quotes)
    for number in range(2, 30):
        market.books.on_depth(SYMBOL, market.feed.messages[number])
    await stage.settle()
    assert len(market.quotes) == before + 1
    assert (market.quotes[-1].bid, market.quotes[-1].ask) == market.best(30)


async def test_a_gap_makes_the_book_untradable_until_a_new_snapshot(stage: Stage, market: Market) -> None:
    await market.live()
    await market.hear(2, 4)
    assert not (await market.status()).tradable
    assert stage.open("depth") == [SYMBOL]
    before = len(market.quotes)
    await market.hear(5)
    assert len(market.quotes) == before, "no quote from a book with a gap"
    await stage.answer("depth", market.feed.snapshot(5))
    assert (await market.status()).tradable
    assert (market.quotes[-1].bid, market.quotes[-1].ask) == market.best(6)


async def test_a_malformed_message_is_a_gap(stage: Stage, market: Market) -> None:
    await market.live()
    market.books.on_depth(SYMBOL, b'{"e":"depthUpdate","U":')
    await stage.settle()
    assert stage.open("depth") == [SYMBOL]


async def test_a_snapshot_that_does_not_come_is_asked_for_again(stage: Stage, market: Market) -> None:
    await market.hear(0)
    await stage.answer("depth", RetryLater("503"))
    assert stage.open("depth") == []
    await market.hear(1, 2)
    assert stage.open("depth") == [], "not at every message"
    await stage.after(SECOND)
    assert stage.open("depth") == [SYMBOL]
    await stage.answer("depth", market.feed.snapshot(1))
    assert (await market.status()).tradable


async def test_a_snapshot_that_is_too_old_is_asked_for_again(stage: Stage, market: Market) -> None:
    await market.hear(5, 6)
    await stage.answer("depth", market.feed.snapshot(0))
    assert not (await market.status()).tradable
    await stage.after(SECOND // 4)
    await stage.answer("depth", market.feed.snapshot(6))
    assert (await market.status()).tradable


async def test_a_lost_connection_makes_every_book_stale(stage: Stage, market: Market) -> None:
    await market.live()
    market.books.on_market_lost("gone")
    assert not (await market.status()).tradable
    market.books.on_market_restored()
    await market.hear(10, 11)
    await stage.answer("depth", market.feed.snapshot(11))
    assert (await market.status()).tradable


async def test_the_venues_best_quote_serves_only_while_there_is_no_book(stage: Stage, market: Market) -> None:
    best = BestQuote(
        symbol=SYMBOL,
        bid=Decimal(90_000),
        bid_quantity=Decimal(1),
        ask=Decimal(90_001),
        ask_quantity=Decimal(1),
        time_ms=0,
    )
    market.books.on_best_quote(best)
    await stage.settle()
    assert [quote.bid for quote in market.quotes] == [Decimal(90_000)]
    await market.live()
    before = len(market.quotes)
    market.books.on_best_quote(best)
    await stage.settle()
    assert len(market.quotes) == before


async def test_mark_prices_go_to_position_and_risk(stage: Stage, market: Market) -> None:
    market.books.on_mark_price(MarkPrice(symbol=SYMBOL, price=Decimal(90_500), time_ms=0))
    market.books.on_mark_price(MarkPrice(symbol="XRPUSDT", price=Decimal(1), time_ms=0))
    await stage.settle()
    for name in ("position", "risk"):
        assert [mark.price for mark in stage.told(name, MarkUpdate)] == [Decimal(90_500)]


async def test_depth_of_a_symbol_that_is_not_ours_is_ignored(stage: Stage, market: Market) -> None:
    market.books.on_depth("XRPUSDT", market.feed.messages[0])
    await stage.settle()
    assert stage.count("depth") == 0


async def test_a_snapshot_that_a_restart_lost_is_asked_for_again(stage: Stage, market: Market) -> None:
    await market.hear(0)
    assert stage.count("depth") == 1
    await stage.tell(market.ref, BookChanged("NOPE"))
    await market.hear(1)
    assert stage.count("depth") == 2
    stage.venue.asked["depth"].pop(0)
    await stage.answer("depth", market.feed.snapshot(1))
    assert (await market.status()).tradable


async def test_nothing_is_told_once_the_engine_stops(stage: Stage, market: Market) -> None:
    await market.live()
    before = len(market.quotes)
    stage.context.closing = True
    await market.hear(2)
    market.books.on_mark_price(MarkPrice(symbol=SYMBOL, price=Decimal(90_500), time_ms=0))
    await stage.settle()
    assert len(market.quotes) == before
    assert stage.told("risk", MarkUpdate) == []


def test_a_status_is_for_people(stage: Stage) -> None:
    [status] = MarketBooks(stage.context).status()
    shown: dict[str, Any] = {name: getattr(status, name) for name in ("symbol", "state", "tradable")}
    assert shown == {"symbol": SYMBOL, "state": "empty", "tradable": False}
