# ruff: noqa: N802  requirement ids are written as the requirements write them
"""Golden signatures: the documented ones of Binance, and those computed for the shapes of 2026 (fact sheet 2.1)."""

import hashlib
import hmac
import pickle
from urllib.parse import quote, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from execactor.venues.binance_usdm.encode import query_string
from execactor.venues.signing import HmacSigner, Secret

FUTURES = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
SPOT = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"

VECTORS = [
    pytest.param(
        FUTURES,
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&timestamp=1591702613943",
        "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9",
        id="futures, as published",
    ),
    pytest.param(
        FUTURES,
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=9000&recvWindow=5000&timestamp=1591702613943",
        "ec11dcc17e67e47f0d3c3f513dfe9062307e37619c5c82ebaa8fe0bdf3d59519",
        id="futures, another order of the same parameters gives another signature",
    ),
    pytest.param(
        FUTURES,
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTCquantity=1&price=9000&recvWindow=5000&timestamp=1591702613943",
        "30baaf0fab549bbeda7f5ef201898b34122da25fd23c646cac2c529aebe670a4",
        id="futures, query and body joined without a separator",
    ),
    pytest.param(
        FUTURES,
        "batchOrders=%5B%7B%22symbol%22%3A%22BTCUSDT%22%2C%22side%22%3A%22BUY%22%2C%22type%22%3A%22LIMIT%22%2C%22"
        "timeInForce%22%3A%22GTC%22%2C%22quantity%22%3A%221%22%2C%22price%22%3A%229000%22%2C%22newClientOrderId%22%3A%22"
        "ex-1%22%7D%5D&recvWindow=5000&timestamp=1591702613943",
        "d989740752c2eb036ea6f0c31c04df467d3901e89b3b0c09281d33545482ca11",
        id="futures, percent-encoded before signing",
    ),
    pytest.param(
        FUTURES,
        "algoType=CONDITIONAL&symbol=BTCUSDT&side=SELL&type=STOP_MARKET&quantity=0.010&triggerPrice=9000.0&reduceOnly=true"
        "&workingType=MARK_PRICE&clientAlgoId=ex-stop-1&recvWindow=5000&timestamp=1591702613943",
        "c1752e032e7a53b54142e7f735dbc1506ff3018385b1e81619aadd3136c42208",
        id="futures, a conditional order",
    ),
    pytest.param(
        SPOT,
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
        "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
        id="spot, as published",
    ),
]


@pytest.mark.parametrize(("secret", "payload", "signature"), VECTORS)
def test_D1_golden_signature(secret: str, payload: str, signature: str) -> None:
    assert HmacSigner(Secret(secret)).sign(payload.encode()) == signature


@given(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=200), st.binary(max_size=600))
@example("s" * 64, b"as long as a block of the hash")
@example("s" * 65, b"longer than a block of the hash")
def test_D1_a_signature_is_the_hmac_of_the_standard_library_for_secrets_of_any_length(
    secret: str, payload: bytes
) -> None:
    expected = hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()
    assert HmacSigner(Secret(secret)).sign(payload) == expected


def test_D1_a_signer_keeps_no_trace_of_what_it_signed_before() -> None:
    signer = HmacSigner(Secret(FUTURES))
    first = signer.sign(b"symbol=BTCUSDT")
    signer.sign(b"something else")
    assert signer.sign(b"symbol=BTCUSDT") == first


def test_D1_the_query_is_percent_encoded_before_it_is_signed() -> None:
    params: dict[str, str | int] = {"origClientOrderId": "capi_tp1_a:b/c", "limit": 5}
    assert query_string(params) == "origClientOrderId=capi_tp1_a%3Ab%2Fc&limit=5"
    assert query_string(params) == urlencode(params, quote_via=quote, safe="")


def test_a_secret_never_shows() -> None:
    secret = Secret("hidden-value")
    assert secret.reveal() == "hidden-value"
    for shown in (repr(secret), str(secret), f"{secret}", f"{[secret]}", "%s" % secret):  # noqa: UP031
        assert "hidden" not in shown
    with pytest.raises(TypeError, match="not copied"):
        pickle.dumps(secret)


def test_equal_secrets_are_equal_and_nothing_else_equals_one() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


@pytest.mark.parametrize("value", ["", " padded", "newline\n"])
def test_a_secret_that_was_copied_wrongly_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="white space"):
        Secret(value)
