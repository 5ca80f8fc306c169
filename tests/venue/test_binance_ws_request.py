"""Requests written from templates against the plain way to write them: sort, join, sign, encode as JSON."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_venue import entry, sorted_payload, stop

from execactor.domain.order import OrderIntent, OrderType, Role, Side, TimeInForce
from execactor.venues.binance_usdm.encode import Call, cancel, place
from execactor.venues.binance_usdm.ws_request import SignedRequests
from execactor.venues.port import OrderRef
from execactor.venues.signing import HmacSigner, Secret

SIGNER = HmacSigner(Secret("the-api-secret"))
NOW_MS = 1_780_000_000_000

names = st.text("ABCXYZabcxyz0189._-", min_size=1, max_size=36)
numbers = st.decimals(min_value=Decimal("1e-8"), max_value=Decimal("1e9"), places=8)
exits = st.fixed_dictionaries({"role": st.just(Role.EXIT), "reduce_only": st.just(True), "side": st.just(Side.SELL)})
entries = st.one_of(
    st.builds(
        lambda client_id, changes: entry(client_id, **changes),
        names,
        st.fixed_dictionaries(
            {"quantity": numbers, "price": numbers, "symbol": names, "time_in_force": st.sampled_from(TimeInForce)}
        ),
    ),
    st.builds(
        lambda client_id, quantity, exit_: entry(
            client_id, type=OrderType.MARKET, price=None, quantity=quantity, **exit_
        ),
        names,
        numbers,
        exits,
    ),
    st.builds(lambda client_id, trigger: stop(client_id, trigger_price=trigger), names, numbers),
    st.builds(
        lambda client_id, trigger, quantity: stop(
            client_id, trigger_price=trigger, close_position=False, reduce_only=True, quantity=quantity
        ),
        names,
        numbers,
        numbers,
    ),
)
cancels = st.builds(
    lambda client_id, conditional, child: OrderRef(
        symbol="BTCUSDT", client_id=client_id, conditional=conditional, child=child, venue_id="88937381063"
    ),
    names,
    st.booleans(),
    st.booleans(),
)


def written_plainly(api_key: str, request_id: int, call: Call) -> dict[str, Any]:
    params = {**call.params, "apiKey": api_key, "recvWindow": 2_000, "timestamp": NOW_MS}
    signature = SIGNER.sign(sorted_payload(params))
    return {"id": request_id, "method": call.ws_method, "params": {**params, "signature": signature}}


def check(requests: SignedRequests, api_key: str, request_id: int, call: Call) -> None:
    frame = requests.frame(request_id, call.ws_method, call.params, NOW_MS)
    plainly = written_plainly(api_key, request_id, call)
    assert msgspec.json.decode(frame) == msgspec.json.decode(msgspec.json.encode(plainly))


@given(st.lists(st.one_of(entries.map(place), cancels.map(cancel)), min_size=1, max_size=5))
def test_every_order_and_cancel_reads_as_if_it_had_been_written_plainly(calls: list[Call]) -> None:
    requests = SignedRequests("the-api-key", SIGNER, 2_000)
    for request_id, call in enumerate(calls):
        check(requests, "the-api-key", request_id, call)


@pytest.mark.parametrize("api_key", ["100%s", 'with "quotes"', "back\\slash", "%(name)s%%"])
def test_an_api_key_of_any_characters_is_sent_as_it_is(api_key: str) -> None:
    requests = SignedRequests(api_key, SIGNER, 2_000)
    for _ in range(2):
        check(requests, api_key, 7, place(entry()))


def test_a_request_of_the_documented_shape_has_the_documented_signature() -> None:
    """Vector W1 of the spot fact sheet, whose WebSocket API signs alike."""
    api_key = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
    signer = HmacSigner(Secret("NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"))
    params: dict[str, str | int] = {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "price": "52000.00",
        "quantity": "0.01000000",
    }
    frame = SignedRequests(api_key, signer, 100).frame(1, "order.place", params, 1645423376532)
    assert msgspec.json.decode(frame) == {
        "id": 1,
        "method": "order.place",
        "params": params
        | {
            "apiKey": api_key,
            "recvWindow": 100,
            "timestamp": 1645423376532,
            "signature": "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24",
        },
    }


def test_two_kinds_of_orders_never_share_a_template() -> None:
    requests = SignedRequests("the-api-key", SIGNER, 2_000)
    regular, conditional = place(entry()), place(stop())
    both: tuple[OrderIntent, ...] = (entry(role=Role.EXIT, reduce_only=True), entry())
    for call in (regular, conditional, *map(place, both), regular, conditional):
        check(requests, "the-api-key", 1, call)
