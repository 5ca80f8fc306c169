"""The venue's refusals: a code, a text and an HTTP status, as section 5 of the fact sheet lists them."""

from decimal import Decimal
from typing import Any


class VenueError(Exception):
    """A refusal the venue answers with. `status` is the HTTP status (also the `status` of a WebSocket API answer)."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status

    def body(self) -> dict[str, Any]:
        return {"code": self.code, "msg": self.message}


def missing(name: str) -> VenueError:
    return VenueError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def not_required(name: str) -> VenueError:
    return VenueError(-1106, f"Parameter '{name}' sent when not required.")


def bad_value(name: str) -> VenueError:
    return VenueError(-1130, f"Data sent for parameter '{name}' is not valid.")


def too_many_orders() -> VenueError:
    return VenueError(-2025, "Reach max open order limit.")


def too_precise() -> VenueError:
    return VenueError(-1111, "Precision is over the maximum defined for this asset.")


def bad_symbol() -> VenueError:
    return VenueError(-1121, "Invalid symbol.")


def bad_signature() -> VenueError:
    return VenueError(-1022, "Signature for this request is not valid.")


def bad_key_format() -> VenueError:
    return VenueError(-2014, "API-key format invalid.", 401)


def bad_key() -> VenueError:
    return VenueError(-2015, "Invalid API-key, IP, or permissions for action.", 401)


def outside_window() -> VenueError:
    return VenueError(-1021, "Timestamp for this request is outside of the recvWindow.")


def ahead_of_server() -> VenueError:
    return VenueError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")


def unknown_listen_key() -> VenueError:
    return VenueError(-1125, "This listenKey does not exist.")


def unknown_cancel() -> VenueError:
    return VenueError(-2011, "Unknown order sent.")


def no_such_order() -> VenueError:
    return VenueError(-2013, "Order does not exist.")


def insufficient_margin() -> VenueError:
    return VenueError(-2019, "Margin is insufficient.")


def would_trigger() -> VenueError:
    return VenueError(-2021, "Order would immediately trigger.")


def reduce_only_rejected() -> VenueError:
    return VenueError(-2022, "ReduceOnly Order is rejected.")


def price_below(minimum: Decimal) -> VenueError:
    return VenueError(-4013, f"Price less than min price {minimum}.")


def price_above(maximum: Decimal) -> VenueError:
    return VenueError(-4002, f"Price greater than max price {maximum}.")


def off_tick() -> VenueError:
    return VenueError(-4014, "Price not increased by tick size.")


def quantity_not_positive() -> VenueError:
    return VenueError(-4003, "Quantity less than or equal to zero.")


def quantity_below() -> VenueError:
    return VenueError(-4004, "Quantity less than min quantity.")


def quantity_above() -> VenueError:
    return VenueError(-4005, "Quantity greater than max quantity.")


def off_step() -> VenueError:
    return VenueError(-4023, "Qty not increased by step size.")


def bad_client_id() -> VenueError:
    return VenueError(-4015, "Client order id is not valid.")


def buy_price_cap(limit: Decimal) -> VenueError:
    return VenueError(-4016, f"Limit price can't be higher than {limit}.")


def sell_price_floor(limit: Decimal) -> VenueError:
    return VenueError(-4024, f"Limit price can't be lower than {limit}.")


def too_many_conditional() -> VenueError:
    return VenueError(-4045, "Reach max stop order limit.")


def same_margin_type() -> VenueError:
    return VenueError(-4046, "No need to change margin type.")


def margin_type_with_orders() -> VenueError:
    return VenueError(-4047, "Margin type cannot be changed if there exists open orders.")


def margin_type_with_position() -> VenueError:
    return VenueError(-4048, "Margin type cannot be changed if there exists position.")


def same_position_mode() -> VenueError:
    return VenueError(-4059, "No need to change position side.")


def position_side_mismatch() -> VenueError:
    return VenueError(-4061, "Order's position side does not match user's setting.")


def duplicate_client_id() -> VenueError:
    return VenueError(-4116, "ClientOrderId is duplicated.")


def reduce_only_covered() -> VenueError:
    return VenueError(-4118, "ReduceOnly Order Failed. Please check your existing position and open orders.")


def conditional_on_order_endpoint() -> VenueError:
    return VenueError(
        -4120,
        "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
    )


def second_close_position() -> VenueError:
    return VenueError(
        -4130,
        "An open stop or take profit order with GTE and closePosition in the direction is existing.",
    )


def percent_price() -> VenueError:
    return VenueError(-4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit.")


def close_position_with_quantity() -> VenueError:
    return VenueError(-4137, "Quantity must be zero with closePosition equals true.")


def notional_below(minimum: Decimal) -> VenueError:
    return VenueError(-4164, f"Order's notional must be no smaller than {minimum} (unless you choose reduce only).")


def close_position_without_position() -> VenueError:
    return VenueError(
        -4509,
        "Time in Force (TIF) GTE can only be used with open positions or open orders. "
        "Please ensure that positions or orders are available.",
    )


def fill_or_kill() -> VenueError:
    return VenueError(
        -5021,
        "Due to the order could not be filled immediately, the FOK order has been rejected. "
        "The order will not be recorded in the order history",
    )


def post_only_would_take() -> VenueError:
    return VenueError(
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected. "
        "The order will not be recorded in the order history",
    )
