"""What the venue log tells of requests and answers, beyond their words: cost, mark price, asked patience."""

from still_venue import StillVenue, Wire


def test_the_first_line_names_the_limits() -> None:
    (start,) = StillVenue().log("start")

    assert start["limits"] == {"weight_1m": 2400, "orders_1m": 1200, "orders_10s": 300}


def test_a_request_shows_what_it_costs_and_an_order_the_mark_price_it_met() -> None:
    still = StillVenue()
    still.limit()
    still.ok("GET /fapi/v1/openOrders")

    placed, listed = still.log("request")[-2:]
    mark = still.exchange.markets["BTCUSDT"].mark
    assert (placed["weight"], placed["orders"], placed["mark"]) == (0, 1, str(mark))
    assert (listed["weight"], listed["orders"], "mark" in listed) == (40, 0, False)


def test_a_connection_to_the_order_api_costs_weight_and_a_stream_none() -> None:
    still = StillVenue()
    still.venue.connect("/ws-fapi/v1", "", Wire())

    opened = {line["stream"]: line["weight"] for line in still.log("connection")}
    assert opened == {"user": 0, "ws_api": 5}
    assert still.venue.rates.weight == 5


def test_an_answer_that_asks_for_patience_says_how_long() -> None:
    still = StillVenue()
    still.venue.faults.order("http_418", 1, {"retry_after": 7})
    still.call("GET /fapi/v1/openOrders")
    still.call("GET /fapi/v1/openOrders")

    refused, served = still.log("response")[-2:]
    assert (refused["status"], refused["retry_after_s"]) == (418, 7)
    assert (served["status"], "retry_after_s" in served) == (200, False)
