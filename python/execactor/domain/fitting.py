"""An order moved onto the grid of other trading rules than those it was made by, never towards more risk."""

import msgspec

from execactor.domain.instrument import Instrument
from execactor.domain.order import OrderIntent, OrderType


def fitted(intent: OrderIntent, instrument: Instrument) -> OrderIntent | None:
    """The same order on `instrument`'s steps and ticks; None when nothing of it is left.

    Smaller, and at a limit that is no worse for us; a stop nearer to the market, a target within reach.
    """
    quantity, price, trigger = intent.quantity, intent.price, intent.trigger_price
    if quantity is not None:
        quantity = instrument.quantity_down(quantity)
        if quantity <= 0:
            return None
    if price is not None:
        price = instrument.price_passive(price, intent.side)
    if trigger is not None:
        onto_grid = instrument.stop_price if intent.type is OrderType.STOP_MARKET else instrument.target_price
        trigger = onto_grid(trigger, intent.side)
    return msgspec.structs.replace(intent, quantity=quantity, price=price, trigger_price=trigger)
