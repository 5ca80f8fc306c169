"""The decision.json contract (requirement E5): what can be followed, and what puts the symbol into flat mode."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from execactor.domain.decision import Action, Decision, DecisionProblem, parse_decision

MADE = datetime(2026, 11, 20, 10, 5, tzinfo=UTC)
MADE_MS = int(MADE.timestamp() * 1000)
ABSENT = object()

LONG: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "timestamp_iso": "2026-11-20T10:05:00Z",
    "action": "long",
    "reason": "liq_sweep_reclaim",
    "entry_zone": [90700, 90900],
    "sl": 89800,
    "tp1": 92200,
    "tp2": 93500,
    "risk_level": 2,
    "position_size_usdt": 1000,
    "leverage": 3,
    "confidence": 0.76,
    "risk_checks": {
        "daily_dd_ok": True,
        "weekly_dd_ok": True,
        "max_trades_per_day_ok": True,
        "session_ok": True,
        "no_major_news": True,
    },
}
SHORT = LONG | {"action": "short", "sl": 91800, "tp1": 89400, "tp2": 88100}
FLAT = LONG | {"action": "flat", "risk_level": 0}


def body(base: dict[str, Any] = LONG, **changes: Any) -> bytes:
    fields = {name: value for name, value in (base | changes).items() if value is not ABSENT}
    return json.dumps(fields).encode()


def parsed(content: bytes, *, age: timedelta = timedelta()) -> Decision | DecisionProblem:
    return parse_decision(content, MADE_MS + round(age.total_seconds() * 1000))


def followed(content: bytes, *, age: timedelta = timedelta()) -> Decision:
    decision = parsed(content, age=age)
    assert isinstance(decision, Decision), decision
    return decision


def refused(content: bytes, *, age: timedelta = timedelta()) -> DecisionProblem:
    problem = parsed(content, age=age)
    assert isinstance(problem, DecisionProblem), problem
    return problem


def test_E5_the_example_of_the_contract_is_followed() -> None:  # noqa: N802  # the requirement's name
    decision = followed(body())
    assert (decision.symbol, decision.action, decision.timestamp_ms) == ("BTCUSDT", Action.LONG, MADE_MS)
    assert decision.entry_zone == (Decimal(90700), Decimal(90900))
    assert decision.entry_price == Decimal(90800)
    assert (decision.sl, decision.tp1, decision.tp2) == (Decimal(89800), Decimal(92200), Decimal(93500))
    assert (decision.position_size_usdt, decision.leverage) == (Decimal(1000), Decimal(3))
    assert (decision.confidence, decision.reason) == (Decimal("0.76"), "liq_sweep_reclaim")


@pytest.mark.parametrize(
    ("age", "fresh"),
    [
        pytest.param(timedelta(0), True, id="just made"),
        pytest.param(timedelta(minutes=10), True, id="ten minutes old is accepted"),
        pytest.param(timedelta(minutes=10, milliseconds=1), False, id="a millisecond more is stale"),
        pytest.param(timedelta(minutes=10, seconds=1), False, id="10:01 is stale"),
        pytest.param(timedelta(days=400), False, id="a year old is stale"),
    ],
)
def test_E5_age(age: timedelta, fresh: bool) -> None:  # noqa: N802
    decision = parsed(body(), age=age)
    if fresh:
        assert isinstance(decision, Decision)
    else:
        assert isinstance(decision, DecisionProblem)
        assert decision.stale
        assert decision.symbol == "BTCUSDT"
        assert "stale decision" in decision.reason


def test_E5_the_age_limit_is_the_callers() -> None:  # noqa: N802
    assert isinstance(parse_decision(body(), MADE_MS + 60_000, max_age_ms=60_000), Decision)
    assert isinstance(parse_decision(body(), MADE_MS + 60_001, max_age_ms=60_000), DecisionProblem)


@pytest.mark.parametrize(
    ("ahead", "followed_anyway"),
    [
        pytest.param(timedelta(seconds=5), True, id="five seconds ahead is a clock's difference"),
        pytest.param(timedelta(seconds=5, milliseconds=1), False, id="more than that is an error"),
        pytest.param(timedelta(hours=3), False, id="a local time sent as UTC is an error"),
    ],
)
def test_E5_a_decision_from_the_future(ahead: timedelta, followed_anyway: bool) -> None:  # noqa: N802
    decision = parsed(body(), age=-ahead)
    assert isinstance(decision, Decision) is followed_anyway
    if isinstance(decision, DecisionProblem):
        assert "in the future; check the clocks" in decision.reason
        assert not decision.stale


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("2026-11-20T10:05:00Z", id="Z"),
        pytest.param("2026-11-20T10:05:00+00:00", id="an offset of zero"),
        pytest.param("2026-11-20T13:05:00+03:00", id="the time of Istanbul"),
        pytest.param("2026-11-20T05:05:00-05:00", id="the time of New York"),
        pytest.param("2026-11-20T10:05:00.000Z", id="milliseconds"),
        pytest.param("2026-11-20 10:05:00", id="a time without a zone is UTC"),
        pytest.param("20261120T100500Z", id="the basic format"),
    ],
)
def test_E5_every_form_of_the_same_time_is_the_same_decision(text: str) -> None:  # noqa: N802
    decision, plain = followed(body(timestamp_iso=text)), followed(body())
    assert decision.timestamp_ms == MADE_MS
    assert (decision.key, decision.body_hash) == (plain.key, plain.body_hash)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("yesterday", id="words"),
        pytest.param("1795169100", id="epoch seconds"),
        pytest.param("2026-13-20T10:05:00Z", id="a thirteenth month"),
        pytest.param("2026-11-20T25:05:00Z", id="a twenty-fifth hour"),
    ],
)
def test_E5_a_time_that_cannot_be_read(text: str) -> None:  # noqa: N802
    problem = refused(body(timestamp_iso=text))
    assert "is not an ISO 8601 time; write e.g. 2026-11-20T10:05:00Z" in problem.reason


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_E5_the_first_and_the_last_time_there_is(text: str) -> None:  # noqa: N802
    assert refused(body(timestamp_iso=text)).symbol == "BTCUSDT"


@pytest.mark.parametrize("base", [LONG, SHORT, FLAT], ids=["long", "short", "flat"])
def test_E5_a_file_that_is_half_written_at_any_byte_is_malformed(base: dict[str, Any]) -> None:  # noqa: N802
    whole = body(base)
    for length in range(len(whole)):
        problem = refused(whole[:length])
        assert problem.reason.startswith("malformed decision"), length
        assert not problem.stale
    assert isinstance(parsed(whole), Decision)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="an empty file"),
        pytest.param(b"\x00" * 64, id="zeros"),
        pytest.param(b"\xff\xfe\x7b\x00", id="bytes that are no text"),
        pytest.param(json.dumps(LONG).encode("utf-16"), id="another encoding"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'"long"', id="a word"),
        pytest.param(b"[" * 100_000, id="endless nesting"),
        pytest.param(body() + body(), id="two decisions in one file"),
        pytest.param(body().replace(b'"long"', b"long"), id="a word without quotes"),
    ],
)
def test_E5_malformed(content: bytes) -> None:  # noqa: N802
    assert refused(content).reason.startswith("malformed decision")


_NUMBERS = ["sl", "tp1", "tp2", "position_size_usdt", "leverage", "confidence"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("name", [*_NUMBERS, "entry_zone"])
def test_E5_a_number_that_is_none_is_malformed(name: str, number: str) -> None:  # noqa: N802
    value = [90700, float(number)] if name == "entry_zone" else float(number)
    assert "malformed" in refused(body(**{name: value})).reason


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("name", [*_NUMBERS, "entry_zone"])
def test_E5_nor_does_text_make_it_one(name: str, text: str) -> None:  # noqa: N802
    value = [text, 90900] if name == "entry_zone" else text
    assert refused(body(**{name: value})).reason.startswith(f"{name} is ")


@pytest.mark.parametrize("text", ["9e999999", "1e19", "1e-19", "-1e400", "1e-999999"])
@pytest.mark.parametrize("name", [*_NUMBERS, "entry_zone"])
def test_E5_a_number_beyond_all_reason(name: str, text: str) -> None:  # noqa: N802
    value = [text, text] if name == "entry_zone" else text
    assert f"{name} {Decimal(text)}" in refused(body(**{name: value})).reason


@pytest.mark.parametrize(
    ("base", "changes", "words"),
    [
        pytest.param(LONG, {"sl": 90800}, "sl 90800 is on the wrong side", id="a stop at the entry"),
        pytest.param(LONG, {"sl": 91000}, "sl 91000 is on the wrong side", id="a long's stop above the entry"),
        pytest.param(SHORT, {"sl": 90600}, "sl 90600 is on the wrong side", id="a short's stop below the entry"),
        pytest.param(LONG, {"sl": 0}, "sl 0 is on the wrong side", id="a stop that never triggers"),
        pytest.param(LONG, {"sl": -1}, "sl -1 is on the wrong side", id="a negative stop"),
        pytest.param(LONG, {"tp1": 90800}, "tp1 90800 is on the wrong side", id="a target at the entry"),
        pytest.param(LONG, {"tp1": 90000}, "tp1 90000 is on the wrong side", id="a long's target below the entry"),
        pytest.param(SHORT, {"tp1": 91000}, "tp1 91000 is on the wrong side", id="a short's target above the entry"),
        pytest.param(SHORT, {"tp1": -1}, "tp1 -1 must be above 0", id="a negative target"),
        pytest.param(SHORT, {"tp2": 0}, "tp2 0 must be above 0", id="a second target of nothing"),
        pytest.param(LONG, {"tp2": 92200}, "tp2 92200 must lie above tp1", id="a second target at the first"),
        pytest.param(LONG, {"tp2": 92000}, "tp2 92000 must lie above tp1", id="a second target before the first"),
        pytest.param(SHORT, {"tp2": 90000}, "tp2 90000 must lie below tp1", id="a short's second target too high"),
        pytest.param(LONG, {"entry_zone": [90900, 90700]}, "the lower one first", id="a reversed zone"),
        pytest.param(LONG, {"entry_zone": [0, 90900]}, "two prices above 0", id="a zone that begins at nothing"),
        pytest.param(LONG, {"entry_zone": [-1, 90900]}, "two prices above 0", id="a zone below nothing"),
        pytest.param(LONG, {"position_size_usdt": 0}, "position_size_usdt 0 must be above 0", id="no size"),
        pytest.param(LONG, {"position_size_usdt": -5}, "position_size_usdt -5 must be", id="a negative size"),
        pytest.param(LONG, {"leverage": 0}, "leverage 0 must be at least 1", id="no leverage"),
        pytest.param(LONG, {"leverage": "0.9"}, "leverage 0.9 must be at least 1", id="leverage below one"),
        pytest.param(LONG, {"confidence": "1.01"}, "confidence 1.01 is outside 0..1", id="too much confidence"),
        pytest.param(LONG, {"confidence": "-0.01"}, "confidence -0.01 is outside 0..1", id="less than no confidence"),
        pytest.param(LONG, {"symbol": ""}, "symbol is empty", id="an empty symbol"),
        pytest.param(LONG, {"id": ""}, "id is empty", id="an empty id, which would be the same for all"),
        pytest.param(
            LONG,
            {"risk_checks": LONG["risk_checks"] | {"session_ok": False, "daily_dd_ok": False}},
            "risk_checks failed: daily_dd_ok, session_ok",
            id="risk checks that failed",
        ),
    ],
)
def test_E5_content_that_cannot_be_followed(  # noqa: N802
    base: dict[str, Any], changes: dict[str, Any], words: str
) -> None:
    assert words in refused(body(base, **changes)).reason


@pytest.mark.parametrize(
    "name", ["symbol", "timestamp_iso", "action", "entry_zone", "sl", "position_size_usdt", "leverage"]
)
@pytest.mark.parametrize("value", [ABSENT, None], ids=["missing", "null"])
def test_E5_a_field_that_an_order_needs_is_missed_by_name(name: str, value: Any) -> None:  # noqa: N802
    assert name in refused(body(**{name: value})).reason


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"leverage": 1}, id="no leverage beyond one's own money"),
        pytest.param({"confidence": 0}, id="no confidence"),
        pytest.param({"confidence": 1}, id="full confidence"),
        pytest.param({"entry_zone": [90800, 90800]}, id="a zone of one price"),
        pytest.param({"position_size_usdt": "0.01"}, id="a size that no venue takes is the venue's to refuse"),
    ],
)
def test_E5_content_at_the_edge_is_followed(changes: dict[str, Any]) -> None:  # noqa: N802
    assert isinstance(parsed(body(**changes)), Decision)


def test_E5_an_entry_needs_a_first_target() -> None:  # noqa: N802
    assert "tp1 is missing" in refused(body(tp1=ABSENT)).reason
    assert "tp1 is missing" in refused(body(tp1=None)).reason


@pytest.mark.parametrize("name", ["tp2", "reason", "confidence", "risk_level", "risk_checks", "id"])
def test_E5_what_no_order_needs_may_be_missing(name: str) -> None:  # noqa: N802
    assert isinstance(parsed(body(**{name: ABSENT})), Decision)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("symbol", 5),
        ("timestamp_iso", MADE_MS),
        ("action", "buy"),
        ("action", "LONG"),
        ("entry_zone", [90800]),
        ("entry_zone", [1, 2, 3]),
        ("entry_zone", "90800"),
        ("sl", True),
        ("sl", [89800]),
        ("sl", "a price"),
        ("risk_checks", {"daily_dd_ok": 1}),
        ("risk_checks", {"daily_dd_ok": None}),
        ("risk_checks", ["daily_dd_ok"]),
        ("id", 7),
    ],
)
def test_E5_a_field_of_the_wrong_type_is_malformed(name: str, value: Any) -> None:  # noqa: N802
    problem = refused(body(**{name: value}))
    assert problem.reason.startswith("malformed decision")
    assert name in problem.reason


def test_E5_a_broken_decision_still_tells_its_symbol_when_it_can() -> None:  # noqa: N802
    assert refused(body(sl="a price")).symbol == "BTCUSDT"
    assert refused(body(symbol=5)).symbol is None
    assert refused(b"{").symbol is None


def test_E5_a_flat_decision_needs_no_prices_that_make_sense() -> None:  # noqa: N802
    decision = followed(body(FLAT, entry_zone=[0, 0], sl=0, tp1=None, tp2=None, position_size_usdt=0))
    assert decision.action is Action.FLAT


def test_E5_failed_risk_checks_do_not_keep_anyone_in_a_position() -> None:  # noqa: N802
    assert followed(body(FLAT, risk_checks={"daily_dd_ok": False})).action is Action.FLAT


def test_the_content_has_a_name() -> None:
    assert followed(body()).body_hash == followed(body(dict(reversed(LONG.items())))).body_hash
    assert followed(body()).body_hash != followed(body(sl=89700)).body_hash


def test_a_given_id_names_the_decision() -> None:
    assert followed(body(id="d1")).key == "d1"
    assert followed(body(id="d1", timestamp_iso="2026-11-20T10:04:00Z")).key == "d1"


def test_an_unknown_field_is_of_a_newer_producer() -> None:
    assert isinstance(parsed(body(position_management={"tp1_fraction": 0.5})), Decision)
