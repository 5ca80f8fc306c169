"""The table of error codes against the fact sheet: every code of it has a reaction, and each reaction its meaning."""

import re

import pytest
from shared_data import ROOT

from execactor.domain.errors import RetryLater, VenueFatal
from execactor.domain.order import RejectCause
from execactor.domain.reports import NotFound, Rejected, Unknown
from execactor.venues.binance_usdm.error_codes import CODES, Reaction, Refusal

NOW_MS = 1_780_000_000_000
SHEET = ROOT.parent / "spec" / "venues" / "binance_usdm.md"

REACTIONS = {
    Reaction.UNKNOWN: {-1000, -1006, -1007, -4116},
    Reaction.RETRY: {-1001, -1003, -1008, -1015, -4117},
    Reaction.RESEND: {-1021, -5028},
    Reaction.REFIT: {-1013, -1111, -4014, -4023},
    Reaction.NOT_FOUND: {-2011, -2013},
    Reaction.ALREADY: {-4046, -4059},
    Reaction.NEW_LISTEN_KEY: {-1125},
    Reaction.FATAL: {-1022, -2014, -2015, -2023, -4061, -4087, -4088, -4192, -4400, -4401, -4402, -4403, -4531},
}
CAUSES = {
    RejectCause.WOULD_TRIGGER: {-2021, -4142},
    RejectCause.STOP_EXISTS: {-4130},
    RejectCause.NO_POSITION: {-4509},
    RejectCause.REDUCE_ONLY: {-2022, -4118},
    RejectCause.THIN_BOOK: {-2020, -4131, -5021},
    RejectCause.OVERLOADED: {-1001, -1003, -1008, -1015, -4117},
    RejectCause.RISK: {-2018, -2019, -2025, -2027, -4045},
    RejectCause.FATAL: REACTIONS[Reaction.FATAL],
}


def refusal(status: int, code: int, message: str = "text", retry_after_ms: int = 0) -> Refusal:
    return Refusal(status, code, message, now_ms=NOW_MS, retry_after_ms=retry_after_ms)


def codes_of_the_sheet() -> set[int]:
    if not SHEET.exists():
        pytest.skip(f"{SHEET} is absent: it is not part of the repository")
    section = SHEET.read_text().split("## 5. Error codes")[1].split("## 6.")[0]
    codes: set[int] = set()
    for row in re.findall(r"^\| ([^|]*-\d[^|]*) \|", section, re.MULTILINE):
        shown = [int(code) for code in re.findall(r"-\d{4}", row)]
        codes |= set(range(shown[0], shown[1] - 1, -1)) if "…" in row and len(shown) == 2 else set(shown)
        if "…" in row and len(shown) > 2:
            codes |= set(range(shown[0], shown[1] - 1, -1))
    return codes


def test_every_code_of_the_sheet_is_in_the_table() -> None:
    missing = codes_of_the_sheet() - set(CODES)
    assert not missing


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize("code", sorted(REACTIONS[Reaction.FATAL], reverse=True))
def test_a_refusal_of_the_account_itself_is_told_as_fatal_to_orders_and_cancels(code: int, status: int) -> None:
    refused = refusal(status, code)
    for result in (refused.as_submit_result(), refused.as_cancel_result()):
        assert isinstance(result, Rejected)
        assert (result.cause, result.code, result.retryable) == (RejectCause.FATAL, code, False)


@pytest.mark.parametrize("code", sorted(CODES, reverse=True))
def test_each_code_has_its_reaction(code: int) -> None:
    expected = next((reaction for reaction, codes in REACTIONS.items() if code in codes), Reaction.REJECT)
    assert CODES[code].reaction is expected
    assert CODES[code].cause is next((cause for cause, codes in CAUSES.items() if code in codes), RejectCause.OTHER)
    assert CODES[code].meaning


@pytest.mark.parametrize("code", sorted(CODES, reverse=True))
def test_each_code_as_the_answer_to_a_new_order(code: int) -> None:
    result = refusal(400, code).as_submit_result()
    if CODES[code].reaction is Reaction.UNKNOWN:
        assert isinstance(result, Unknown)
        return
    assert isinstance(result, Rejected)
    assert result.code == code
    assert result.retryable is (CODES[code].reaction in (Reaction.RETRY, Reaction.RESEND))
    assert result.retry_after_ms == CODES[code].retry_after_ms


@pytest.mark.parametrize("code", sorted(CODES, reverse=True))
def test_each_code_as_the_answer_to_a_cancel(code: int) -> None:
    kind = {Reaction.UNKNOWN: Unknown, Reaction.NOT_FOUND: NotFound}.get(CODES[code].reaction, Rejected)
    assert isinstance(refusal(400, code).as_cancel_result(), kind)


@pytest.mark.parametrize("code", sorted(CODES, reverse=True))
def test_each_code_while_reading_or_setting_up(code: int) -> None:
    passes = {Reaction.RETRY, Reaction.RESEND, Reaction.UNKNOWN}
    kind = RetryLater if CODES[code].reaction in passes else VenueFatal
    assert isinstance(refusal(400, code).as_error(), kind)


@pytest.mark.parametrize(
    ("message", "retry_after_ms", "wait_ms"),
    [
        pytest.param(f"IP banned until {NOW_MS + 1_000}.", 0, 1_050, id="the end that is named, and a margin"),
        pytest.param(f"IP banned until {NOW_MS + 1_000}.", 9_000, 1_050, id="not a Retry-After beside it"),
        pytest.param(f"IP banned until {NOW_MS + 900_000}.", 9_000, 900_050, id="also when the named end is later"),
        pytest.param(f"IP banned until {NOW_MS - 5_000}.", 9_000, 50, id="an end that has passed"),
        pytest.param("slow down", 30_000, 30_000, id="the Retry-After where no end is named"),
        pytest.param("slow down", 1, 1, id="however short it is"),
        pytest.param("slow down", 0, 120_000, id="two minutes where nothing is said"),
    ],
)
def test_how_long_a_ban_lasts(message: str, retry_after_ms: int, wait_ms: int) -> None:
    refused = refusal(418, -1003, message, retry_after_ms)
    assert refused.stops_everything
    assert refused.retry_after_ms == wait_ms
    result = refused.as_submit_result()
    assert isinstance(result, Rejected)
    assert (result.retryable, result.retry_after_ms) == (True, wait_ms)
    error = refused.as_error()
    assert isinstance(error, RetryLater)
    assert error.after_ms == wait_ms


def test_the_end_of_a_ban_means_nothing_while_the_venues_time_is_unknown() -> None:
    text = f"IP banned until {NOW_MS + 1_000}."
    assert Refusal(418, -1003, text, now_ms=None, retry_after_ms=9_000).retry_after_ms == 9_000
    assert Refusal(418, -1003, text, now_ms=None).retry_after_ms == 120_000


def test_too_many_requests_without_a_word_on_time_stop_for_a_second() -> None:
    assert refusal(429, -1003, "slow down").retry_after_ms == 1_000


def test_too_many_orders_stop_orders_only() -> None:
    refused = refusal(429, -1015, "Too many new orders; current limit is 300 orders per TEN_SECONDS.")
    assert not refused.stops_everything
    result = refused.as_submit_result()
    assert isinstance(result, Rejected)
    assert (result.retryable, result.retry_after_ms) == (True, 10_000)
