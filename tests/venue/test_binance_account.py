"""Connecting: the account's settings are checked and set, and what cannot work is refused with the reason."""

import pytest
from scripted_venue import Bench, json, refusal

from execactor.domain.errors import ConfigurationError, RetryLater, VenueFatal
from execactor.venues.binance_usdm import BinanceSettings, MarginType, sim_urls
from execactor.venues.signing import Secret
from execactor.venues.transport import AnswerLost, NotSent

MODE = "/fapi/v1/positionSide/dual"
LEVERAGE = "/fapi/v1/leverage"
MARGIN = "/fapi/v1/marginType"


async def connect(bench: Bench) -> None:
    await bench.adapter.connect(bench.events.append, bench.market)


async def test_an_account_that_fits_is_left_alone() -> None:
    bench = Bench()
    await connect(bench)
    assert not [
        request for request in bench.venue.requests if request.verb == "POST" and "listenKey" not in request.path
    ]


async def test_margin_type_and_leverage_are_set_where_they_differ() -> None:
    bench = Bench(symbols=("BTCUSDT", "ETHUSDT"), leverage=7, margin_type=MarginType.CROSSED)
    bench.venue.answers["GET /fapi/v1/symbolConfig"] = json(
        [
            {"symbol": "BTCUSDT", "marginType": "CROSSED", "leverage": 20},
            {"symbol": "ETHUSDT", "marginType": "ISOLATED", "leverage": 7},
        ]
    )
    bench.venue.answers[f"POST {LEVERAGE}"] = json({"leverage": 7, "symbol": "BTCUSDT"})
    bench.venue.answers[f"POST {MARGIN}"] = json({"code": 200, "msg": "success"})
    await connect(bench)
    (leverage,) = bench.venue.of(f"POST {LEVERAGE}")
    (margin,) = bench.venue.of(f"POST {MARGIN}")
    assert (leverage.params["symbol"], leverage.params["leverage"]) == ("BTCUSDT", "7")
    assert (margin.params["symbol"], margin.params["marginType"]) == ("ETHUSDT", "CROSSED")


async def test_no_need_to_change_is_success() -> None:
    bench = Bench(margin_type=MarginType.CROSSED)
    bench.venue.answers[f"GET {MODE}"] = json({"dualSidePosition": True})
    bench.venue.answers[f"POST {MODE}"] = refusal(400, -4059, "No need to change position side.")
    bench.venue.answers[f"POST {MARGIN}"] = refusal(400, -4046, "No need to change margin type.")
    await connect(bench)


async def test_hedge_mode_is_left_when_nothing_is_open() -> None:
    bench = Bench()
    bench.venue.answers[f"GET {MODE}"] = json({"dualSidePosition": True})
    bench.venue.answers[f"POST {MODE}"] = json({"code": 200, "msg": "success"})
    await connect(bench)
    assert bench.venue.of(f"POST {MODE}")[0].params["dualSidePosition"] == "false"


@pytest.mark.parametrize("code", [-4067, -4068])
async def test_hedge_mode_with_something_open_needs_a_person(code: int) -> None:
    bench = Bench()
    bench.venue.answers[f"GET {MODE}"] = json({"dualSidePosition": True})
    bench.venue.answers[f"POST {MODE}"] = refusal(400, code)
    with pytest.raises(VenueFatal, match="hedge mode"):
        await connect(bench)


@pytest.mark.parametrize(("path", "code"), [(MARGIN, -4047), (MARGIN, -4048), (LEVERAGE, -4161)])
async def test_what_an_open_position_forbids_to_change_does_not_keep_the_engine_from_protecting_it(
    path: str, code: int
) -> None:
    bench = Bench(margin_type=MarginType.CROSSED, leverage=9)
    bench.venue.answers[f"POST {MARGIN}"] = json({"code": 200})
    bench.venue.answers[f"POST {LEVERAGE}"] = json({"leverage": 9})
    bench.venue.answers[f"POST {path}"] = refusal(400, code)
    await connect(bench)


@pytest.mark.parametrize("path", [MODE, LEVERAGE, MARGIN])
async def test_a_setting_that_is_refused_for_another_reason_needs_a_person(path: str) -> None:
    bench = Bench(leverage=9, margin_type=MarginType.CROSSED)
    bench.venue.answers |= {
        f"GET {MODE}": json({"dualSidePosition": path == MODE}),
        f"POST {MARGIN}": json({"code": 200}),
        f"POST {LEVERAGE}": json({"leverage": 9}),
    }
    bench.venue.answers[f"POST {path}"] = refusal(400, -4531, "sync first")
    with pytest.raises(VenueFatal, match="-4531"):
        await connect(bench)


async def test_a_leverage_that_the_symbol_does_not_allow_is_a_setting_to_correct() -> None:
    bench = Bench(leverage=125)
    bench.venue.answers[f"POST {LEVERAGE}"] = refusal(400, -4028, "Leverage 125 is not valid")
    with pytest.raises(ConfigurationError, match="leverage = 125: BTCUSDT does not allow it"):
        await connect(bench)


async def test_a_symbol_that_the_venue_does_not_list_is_a_setting_to_correct() -> None:
    bench = Bench(symbols=("BTCUSDT", "NOPEUSDT"))
    with pytest.raises(ConfigurationError, match="NOPEUSDT"):
        await connect(bench)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(refusal(401, -2015, "Invalid API-key, IP, or permissions for action."), VenueFatal, id="key"),
        pytest.param(refusal(400, -1022, "Signature for this request is not valid."), VenueFatal, id="signature"),
        pytest.param(refusal(400, -4061), VenueFatal, id="position side"),
        pytest.param(refusal(503, 0, "Service Unavailable."), RetryLater, id="overload"),
        pytest.param(refusal(502, 0, "Bad gateway"), RetryLater, id="gateway"),
        pytest.param(NotSent("connection refused"), RetryLater, id="no connection"),
        pytest.param(AnswerLost("reset"), RetryLater, id="no answer"),
        pytest.param(json("surprise"), RetryLater, id="unreadable"),
    ],
)
async def test_why_connecting_fails(answer: object, error: type[Exception]) -> None:
    bench = Bench()
    bench.venue.answers["GET /fapi/v1/symbolConfig"] = answer  # type: ignore[assignment]
    with pytest.raises(error):
        await bench.finish(connect(bench))
    assert not bench.venue.open_links("/")


async def test_a_failed_connect_can_be_tried_again() -> None:
    bench = Bench()
    bench.venue.unreachable = True
    with pytest.raises(RetryLater):
        await connect(bench)
    bench.venue.unreachable = False
    await bench.connect()
    assert bench.venue.private
    assert bench.venue.orders


async def test_the_first_timestamp_is_already_the_venues() -> None:
    bench = Bench()
    bench.venue.ahead_ms = -3_000
    await connect(bench)
    signed = next(request for request in bench.venue.requests if "timestamp" in request.params)
    assert int(signed.params["timestamp"]) == pytest.approx(bench.clock.now_ns() // 1_000_000 - 3_000, abs=1)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("recv_window_ms", 5_000, "choose 1 to 2000"),
        ("leverage", 0, "1 to 125"),
        ("symbols", (), "at least one symbol"),
        ("symbols", ("btcusdt",), "in capitals"),
        ("symbols", ("BTCUSDT", "BTCUSDT"), "once"),
        ("answer_timeout_ms", 0, "above 0"),
        ("read_timeout_ms", 0, "above 0"),
        ("rate_wait_ms", -1, "0 or more"),
    ],
)
def test_a_wrong_setting_names_its_key_and_the_fix(key: str, value: object, told: str) -> None:
    right: dict[str, object] = {
        "urls": sim_urls("http://127.0.0.1:1/", "ws://127.0.0.1:1/"),
        "api_key": Secret("k"),
        "api_secret": Secret("s"),
        "symbols": ("BTCUSDT",),
    }
    with pytest.raises(ConfigurationError, match=f"{key}.*{told}"):
        BinanceSettings(**(right | {key: value}))  # type: ignore[arg-type]
