"""The life of the streams: keys that expire, connections that break, planned replacements, and what is told of them."""

import pytest
from scripted_venue import MS, SECOND, START_NS, Bench, ScriptedLink, json, refusal, symbol_rules

from execactor.domain.errors import RetryLater, VenueFatal
from execactor.domain.reports import AccountReport, PrivateStreamLost, PrivateStreamRestored, UnreadableFrame
from execactor.venues.binance_usdm.market_stream import STREAMS_PER_CONNECTION
from execactor.venues.transport import AnswerLost, HttpResponse

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
KEY = "/fapi/v1/listenKey"

DEPOSIT = {"e": "ACCOUNT_UPDATE", "E": 1, "T": 1, "a": {"m": "DEPOSIT", "B": [{"a": "USDT", "wb": "5"}], "P": []}}


async def connected(**settings: object) -> Bench:
    bench = Bench(**settings)
    await bench.connect()
    return bench


def kinds(bench: Bench) -> list[type]:
    return [type(event) for event in bench.events]


class TestPrivateStream:
    async def test_it_is_opened_with_a_fresh_key_and_without_a_signature(self) -> None:
        bench = await connected()
        assert bench.venue.private.url == "ws://venue/private/ws?listenKey=key1"
        (asked,) = bench.venue.of(f"POST {KEY}")
        assert asked.params == {}
        assert asked.headers["X-MBX-APIKEY"] == "the-api-key"

    async def test_the_key_is_renewed_before_half_an_hour_has_passed_again_and_again(self) -> None:
        bench = await connected()
        await bench.pass_time(91 * MINUTE, step_ns=10 * SECOND)
        assert len(bench.venue.of(f"PUT {KEY}")) == 3
        assert bench.events == []

    async def test_a_renewal_that_fails_is_tried_again_while_the_key_still_lives(self) -> None:
        bench = await connected()
        bench.venue.answers[f"PUT {KEY}"] = [refusal(500, -1000), refusal(503, 0, "Service Unavailable."), json({})]
        await bench.pass_time(27 * MINUTE, step_ns=10 * SECOND)
        assert len(bench.venue.of(f"PUT {KEY}")) == 3
        assert bench.events == []

    @pytest.mark.parametrize("how", ["event", "answer to the renewal"])
    async def test_an_expired_key_means_events_may_be_missing_until_a_new_one_stands(self, how: str) -> None:
        bench = await connected()
        old = bench.venue.private
        if how == "event":
            old.tell({"e": "listenKeyExpired", "E": "1736996475556", "listenKey": "key1"})
        else:
            bench.venue.answers[f"PUT {KEY}"] = refusal(400, -1125, "This listenKey does not exist.")
            await bench.pass_time(26 * MINUTE, step_ns=10 * SECOND)
        assert kinds(bench)[0] is PrivateStreamLost
        await bench.pass_time(1 * SECOND)
        assert kinds(bench) == [PrivateStreamLost, PrivateStreamRestored]
        assert old.closed
        assert bench.venue.private.url.endswith("listenKey=key2")

    async def test_a_broken_connection_is_told_at_once_and_dialled_again_with_growing_pauses(self) -> None:
        bench = await connected()
        bench.venue.unreachable = True
        bench.venue.private.end("reset by peer")
        assert bench.events == [PrivateStreamLost(reason="reset by peer")]
        await bench.pass_time(60 * SECOND, step_ns=100 * MS)
        # 50-100, 100-200, ... ms, then 5-10 s each: about twelve dials in a minute, not hundreds.
        assert 8 <= len(bench.venue.of(f"POST {KEY}")) <= 20
        bench.venue.unreachable = False
        await bench.pass_time(11 * SECOND, step_ns=100 * MS)
        assert kinds(bench) == [PrivateStreamLost, PrivateStreamRestored]
        bench.venue.private.tell(DEPOSIT)
        assert isinstance(bench.events[-1], AccountReport)

    async def test_a_connect_that_failed_midway_may_have_told_of_a_loss_so_the_next_tells_that_the_streams_stand(
        self,
    ) -> None:
        bench = Bench()
        bench.venue.refused = "/market/"
        with pytest.raises(RetryLater):
            await bench.connect()
        bench.venue.refused = None
        await bench.connect()
        assert kinds(bench) == [PrivateStreamRestored]
        assert bench.market.states == ["restored"]

    async def test_before_its_24_hours_are_over_it_is_replaced_without_a_gap(self) -> None:
        bench = await connected()
        old = bench.venue.private
        await bench.pass_time(23 * HOUR, step_ns=MINUTE)
        assert len(bench.venue.open_links("/private/")) == 2
        old.tell(DEPOSIT)
        bench.venue.private.tell(DEPOSIT)
        assert kinds(bench) == [AccountReport, AccountReport]
        await bench.pass_time(3 * SECOND, step_ns=SECOND)
        assert old.closed
        assert len(bench.venue.open_links("/private/")) == 1

    async def test_closing_while_two_stand_side_by_side_ends_both(self) -> None:
        bench = await connected()
        await bench.pass_time(23 * HOUR, step_ns=MINUTE)
        assert len(bench.venue.open_links("/private/")) == 2
        await bench.adapter.close()
        assert not bench.venue.open_links("/")

    async def test_a_replacement_that_fails_leaves_the_old_one_and_is_tried_again(self) -> None:
        bench = await connected()
        old = bench.venue.private
        await bench.pass_time(23 * HOUR - MINUTE, step_ns=MINUTE)
        bench.venue.unreachable = True
        await bench.pass_time(3 * MINUTE, step_ns=10 * SECOND)
        assert bench.events == []
        assert not old.closed
        bench.venue.unreachable = False
        await bench.pass_time(2 * MINUTE, step_ns=10 * SECOND)
        assert old.closed
        assert bench.events == []

    async def test_a_garbled_frame_is_told_and_the_stream_goes_on(self) -> None:
        bench = await connected()
        bench.venue.private.deliver(b'{"e":"ORDER_TRADE_UPDATE","E":17')
        bench.venue.private.tell(DEPOSIT)
        assert kinds(bench) == [UnreadableFrame, AccountReport]

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            pytest.param(refusal(401, -2015, "Invalid API-key"), VenueFatal, id="refused"),
            pytest.param(refusal(503, 0, "Service Unavailable."), RetryLater, id="failed"),
            pytest.param(json({"key": 1}), RetryLater, id="unreadable"),
        ],
    )
    async def test_without_a_key_there_is_no_connection(self, answer: HttpResponse, error: type[Exception]) -> None:
        bench = Bench()
        bench.venue.answers[f"POST {KEY}"] = answer
        with pytest.raises(error):
            await bench.connect()
        assert len(bench.venue.of(f"POST {KEY}")) == 1
        assert not bench.venue.open_links("/")

    @pytest.mark.parametrize("failure", [AnswerLost("gone"), refusal(503, 0, "Service Unavailable.")])
    async def test_a_key_that_cannot_be_given_back_is_no_obstacle_to_closing(self, failure: object) -> None:
        bench = await connected()
        bench.venue.answers[f"DELETE {KEY}"] = failure  # type: ignore[assignment]
        await bench.adapter.close()
        assert bench.adapter.counts["listen keys not given back"] == 1

    async def test_a_renewal_without_an_answer_is_tried_again(self) -> None:
        bench = await connected()
        bench.venue.answers[f"PUT {KEY}"] = [AnswerLost("gone"), json({})]
        await bench.pass_time(27 * MINUTE, step_ns=10 * SECOND)
        assert len(bench.venue.of(f"PUT {KEY}")) == 2
        assert bench.events == []

    async def test_closing_ends_it_and_gives_the_key_back(self) -> None:
        bench = await connected()
        link = bench.venue.private
        await bench.adapter.close()
        assert link.closed
        assert len(bench.venue.of(f"DELETE {KEY}")) == 1
        await bench.pass_time(HOUR, step_ns=MINUTE)
        assert bench.events == []
        assert not bench.venue.of(f"PUT {KEY}")

    @pytest.mark.parametrize(
        ("answer", "error"),
        [(refusal(401, -2015), VenueFatal), (refusal(503, 0, "Service Unavailable."), RetryLater)],
    )
    async def test_no_key_no_connection(self, answer: object, error: type[Exception]) -> None:
        bench = Bench()
        bench.venue.answers[f"POST {KEY}"] = answer  # type: ignore[assignment]
        with pytest.raises(error):
            await bench.adapter.connect(bench.events.append, bench.market)
        assert not bench.venue.open_links("/")


class TestMarketStream:
    async def test_depth_and_quotes_come_from_the_public_route_and_marks_from_the_market_route(self) -> None:
        bench = await connected(symbols=("BTCUSDT", "ETHUSDT"))
        (public,) = bench.venue.open_links("/public/")
        (market,) = bench.venue.open_links("/market/")
        assert public.url == (
            "ws://venue/public/stream?streams="
            "btcusdt@depth@100ms/ethusdt@depth@100ms/btcusdt@bookTicker/ethusdt@bookTicker"
        )
        assert market.url == "ws://venue/market/stream?streams=btcusdt@markPrice@1s/ethusdt@markPrice@1s"

    async def test_depth_is_handed_over_as_it_came(self) -> None:
        bench = await connected(symbols=("BTCUSDT", "ETHUSDT"))
        frame = b'{"stream":"ethusdt@depth@100ms","data":{"e":"depthUpdate","U":1,"u":2,"pu":0,"b":[],"a":[]}}'
        bench.venue.open_links("/public/")[0].deliver(frame)
        assert bench.market.depth == [("ETHUSDT", frame)]

    async def test_quotes_and_marks_are_decoded(self) -> None:
        bench = await connected()
        bench.venue.open_links("/public/")[0].deliver(
            b'{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":4,"E":12,"T":11,"s":"BTCUSDT",'
            b'"b":"25.30","B":"31.21","a":"25.40","A":"40.66","ps":"BTCUSDT","st":1}}'
        )
        bench.venue.open_links("/market/")[0].deliver(
            b'{"stream":"btcusdt@markPrice@1s","data":{"e":"markPriceUpdate","E":13,"s":"BTCUSDT","p":"25.35","st":1}}'
        )
        (quote,) = bench.market.quotes
        (mark,) = bench.market.marks
        assert (str(quote.bid), str(quote.ask_quantity), quote.time_ms) == ("25.30", "40.66", 11)
        assert (mark.symbol, str(mark.price), mark.time_ms) == ("BTCUSDT", "25.35", 13)

    async def test_many_symbols_are_spread_over_connections(self) -> None:
        names = tuple(f"SYM{n:04}USDT" for n in range(450))
        bench = Bench(symbols=names)
        bench.venue.answers["GET /fapi/v1/exchangeInfo"] = json(
            {"rateLimits": [], "symbols": [symbol_rules(name) for name in names]}
        )
        bench.venue.answers["GET /fapi/v1/symbolConfig"] = json(
            [{"symbol": name, "marginType": "ISOLATED", "leverage": 3} for name in names]
        )
        await bench.connect()
        streams = [stream for link in market_links(bench) for stream in link.url.split("streams=")[1].split("/")]
        assert len(streams) == len(set(streams)) == 3 * 450
        assert max(link.url.count("/") - 4 + 1 for link in market_links(bench)) <= STREAMS_PER_CONNECTION
        assert max(len(link.url) for link in market_links(bench)) < 8_000

    async def test_it_is_lost_with_the_first_connection_and_restored_with_the_last(self) -> None:
        bench = await connected()
        public, market = bench.venue.open_links("/public/")[0], bench.venue.open_links("/market/")[0]
        bench.venue.unreachable = True
        public.end("first")
        market.end("second")
        assert bench.market.states == ["lost: first", "lost: second"]
        bench.venue.unreachable = False
        await bench.pass_time(1 * SECOND)
        assert bench.market.states == ["lost: first", "lost: second", "restored"]

    async def test_a_frame_that_cannot_be_read_gives_the_connection_up(self) -> None:
        bench = await connected()
        bench.venue.open_links("/market/")[0].deliver(b'{"stream":"btcusdt@markPrice@1s","data":{"p":"much"}}')
        assert bench.market.states == ["lost: an unreadable frame of BTCUSDT markPrice@1s"]
        await bench.pass_time(1 * SECOND)
        assert bench.market.states[-1] == "restored"

    async def test_a_frame_of_no_stream_is_counted(self) -> None:
        bench = await connected()
        (public,) = bench.venue.open_links("/public/")
        for frame in (b'{"result":null,"id":1}', b'{"stream":"ethusdt@bookTicker","data":{}}', b"", b'{"stream":"'):
            public.deliver(frame)
        assert bench.adapter.counts["frames of no stream"] == 4


class TestSilence:
    """A connection that answers pings and tells nothing is given up; how soon depends on what it should tell."""

    async def test_mark_prices_that_stop_for_five_seconds_are_dialled_anew(self) -> None:
        bench = await connected()
        (silent,) = bench.venue.open_links("/market/")
        await bench.pass_time(4 * SECOND)
        silent.deliver(MARK)
        await bench.pass_time(5 * SECOND)
        assert bench.market.states == []
        await bench.pass_time(2 * SECOND)
        assert bench.market.states == [
            "lost: it stands and has told nothing for 5 s",
            "restored",
        ]
        assert silent.closed
        assert len(bench.venue.open_links("/market/")) == 1
        assert bench.adapter.counts["silent connections"] == 1
        await bench.adapter.close()

    async def test_a_quiet_book_has_half_a_minute(self) -> None:
        bench = await connected()
        for _ in range(29):
            bench.venue.open_links("/market/")[0].deliver(MARK)
            await bench.pass_time(SECOND)
        assert bench.market.states == []
        for _ in range(3):
            bench.venue.open_links("/market/")[0].deliver(MARK)
            await bench.pass_time(SECOND)
        assert bench.market.states == ["lost: it stands and has told nothing for 30 s", "restored"]
        await bench.adapter.close()

    async def test_any_frame_is_a_sign_of_life(self) -> None:
        bench = await connected()
        for _ in range(60):
            bench.venue.open_links("/market/")[0].deliver(b'{"result":null,"id":1}')
            bench.venue.open_links("/public/")[0].deliver(b'{"result":null,"id":1}')
            await bench.pass_time(SECOND)
        assert bench.market.states == []
        await bench.adapter.close()

    async def test_a_private_stream_that_owes_something_is_opened_anew(self) -> None:
        bench = await connected()
        before = bench.venue.private
        bench.adapter.renew_private_stream("it never told trade 7")
        assert bench.events == [PrivateStreamLost(reason="it never told trade 7")]
        bench.adapter.renew_private_stream("while it is dialled nothing more happens")
        await bench.pass_time(SECOND)
        assert bench.events[1:] == [PrivateStreamRestored()]
        assert before.closed
        assert bench.venue.keys == 2, "with a listen key that is asked for anew"
        await bench.adapter.close()


MARK = b'{"stream":"btcusdt@markPrice@1s","data":{"e":"markPriceUpdate","E":13,"s":"BTCUSDT","p":"25.35","st":1}}'


def market_links(bench: Bench) -> list[ScriptedLink]:
    return bench.venue.open_links("/public/") + bench.venue.open_links("/market/")


async def test_no_key_and_no_signature_shows_in_what_the_adapter_says() -> None:
    bench = await connected()
    bench.venue.private.tell({"e": "nobody knows", "listenKey": "key1", "stream": "key1"})
    shown = repr(bench.events) + repr(bench.settings) + repr(bench.adapter.counts)
    for secret in ("the-api-key", "the-api-secret", "key1"):
        assert secret not in shown


async def test_the_wall_clock_is_never_used_for_a_deadline() -> None:
    bench = await connected()
    bench.clock._start_ns = START_NS + 3 * HOUR
    bench.venue.private.tell(DEPOSIT)
    await bench.pass_time(1 * SECOND)
    assert kinds(bench) == [AccountReport]
    assert not bench.venue.of(f"PUT {KEY}")
