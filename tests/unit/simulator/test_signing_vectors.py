"""The venue checks signatures by the published vectors (fact sheet 2.1)."""

import hashlib
import hmac

import pytest

from execactor.simulator.errors import VenueError
from execactor.simulator.signing import Keyring

SECRET = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
ORDER = (
    "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&timestamp=1591702613943"
)
RING = Keyring("key", SECRET)


@pytest.mark.parametrize(
    ("query", "body", "signature"),
    [
        pytest.param(
            ORDER, "", "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9", id="published, query only"
        ),
        pytest.param(
            "", ORDER, "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9", id="the same in the body"
        ),
        pytest.param(
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC",
            "quantity=1&price=9000&recvWindow=5000&timestamp=1591702613943",
            "30baaf0fab549bbeda7f5ef201898b34122da25fd23c646cac2c529aebe670a4",
            id="query and body",
        ),
    ],
)
def test_a_good_signature_passes_wherever_it_travels(query: str, body: str, signature: str) -> None:
    RING.check_rest(f"{query}&signature={signature}" if query else f"signature={signature}", body)
    RING.check_rest(query, f"{body}&signature={signature.upper()}" if body else f"signature={signature}")


def test_the_order_of_parameters_is_signed_too() -> None:
    with pytest.raises(VenueError, match="-1022"):
        RING.check_rest(
            "side=BUY&symbol=BTCUSDT&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000"
            "&timestamp=1591702613943&signature=3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9",
            "",
        )


def test_the_websocket_api_signs_sorted_parameters() -> None:
    params = {"timestamp": "1591702613943", "symbol": "BTCUSDT", "apiKey": "key"}

    def signature(payload: str) -> str:
        return hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()

    RING.check_ws(params | {"signature": signature("apiKey=key&symbol=BTCUSDT&timestamp=1591702613943")})
    with pytest.raises(VenueError, match="-1022"):
        RING.check_ws(params | {"signature": signature("timestamp=1591702613943&symbol=BTCUSDT&apiKey=key")})
