"""Client order ids: derivable again, short enough for every venue, and never the same for two orders."""

import re

import pytest

from execactor.domain.ids import MAX_KEY_LENGTH, ParsedId, client_order_id, decision_key, parse, valid_prefix
from execactor.domain.order import Role

ALLOWED = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")


@pytest.mark.parametrize(
    ("role", "attempt", "client_id"),
    [
        (Role.ENTRY, 1, "capi_entry_42"),
        (Role.STOP, 1, "capi_sl_42"),
        (Role.TIGHTENED_STOP, 1, "capi_slt_42"),
        (Role.TAKE_PROFIT_1, 1, "capi_tp1_42"),
        (Role.TAKE_PROFIT_2, 1, "capi_tp2_42"),
        (Role.EXIT, 1, "capi_exit_42"),
        (Role.ENTRY, 2, "capi_entry_42_a2"),
        (Role.EXIT, 999, "capi_exit_42_a999"),
    ],
)
def test_an_id_tells_role_key_and_attempt(role: Role, attempt: int, client_id: str) -> None:
    assert client_order_id("capi", role, "42", attempt) == client_id
    assert parse("capi", client_id) == ParsedId(role, "42", attempt)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param("d1", id="a short id is kept"),
        pytest.param("a" * MAX_KEY_LENGTH, id="an id of the greatest length is kept"),
        pytest.param("26:11/20-x.Y_", id="every allowed character is kept"),
    ],
)
def test_a_given_id_that_fits_is_the_key(given: str) -> None:
    assert decision_key(given, "BTCUSDT", "2026-11-20T10:05:00Z") == given


@pytest.mark.parametrize(
    "given",
    [
        pytest.param("a" * (MAX_KEY_LENGTH + 1), id="one character too many"),
        pytest.param("a" * 500, id="500 characters"),
        pytest.param("karar-ğüşiöç-決定-🚀", id="unicode"),
        pytest.param("two words", id="a space"),
        pytest.param("line\n", id="a line end"),
        pytest.param("d1_a2", id="an id that ends like a second attempt"),
        pytest.param("d\u0661", id="a digit of another script"),
        pytest.param("", id="an empty id"),
    ],
)
def test_any_other_id_becomes_a_short_hash_that_fits(given: str) -> None:
    key = decision_key(given, "BTCUSDT", "2026-11-20T10:05:00Z")
    assert key == decision_key(given, "ETHUSDT", "another time")
    for role in Role:
        made = client_order_id("abcdefgh", role, key, 99_999)
        assert ALLOWED.fullmatch(made)
        assert parse("abcdefgh", made) == ParsedId(role, key, 99_999)


def test_a_decision_without_an_id_is_known_by_its_symbol_and_time() -> None:
    key = decision_key(None, "BTCUSDT", "2026-11-20T10:05:00Z")
    assert key == "yoyoaesur54q"  # derivable in every process, for ever
    assert key != decision_key(None, "ETHUSDT", "2026-11-20T10:05:00Z")
    assert key != decision_key(None, "BTCUSDT", "2026-11-20T10:10:00Z")


def test_an_id_that_would_not_fit_is_an_error_and_not_cut() -> None:
    with pytest.raises(ValueError, match="36 is the most"):
        client_order_id("abcdefgh", Role.ENTRY, "k" * MAX_KEY_LENGTH, 100_000)


@pytest.mark.parametrize(
    "client_id",
    [
        pytest.param("", id="nothing"),
        pytest.param("web_entry_42", id="another prefix"),
        pytest.param("capi", id="the prefix alone"),
        pytest.param("capi_entry", id="no key"),
        pytest.param("capi_entry_", id="an empty key"),
        pytest.param("capi_entry__a2", id="an attempt without a key"),
        pytest.param("capi_stop_42", id="an unknown role"),
        pytest.param("capientry_42", id="no separator"),
        pytest.param("autoclose-1591702613943", id="a liquidation"),
        pytest.param("adl_autoclose", id="a deleveraging"),
    ],
)
def test_an_id_that_is_not_ours_has_no_parts(client_id: str) -> None:
    assert parse("capi", client_id) is None


@pytest.mark.parametrize(
    ("prefix", "valid"),
    [("capi", True), ("a", True), ("Abc12345", True), ("", False), ("ninechars", False), ("a_b", False), ("é", False)],
)
def test_a_prefix_is_one_to_eight_letters_and_digits(prefix: str, valid: bool) -> None:
    assert valid_prefix(prefix) is valid
