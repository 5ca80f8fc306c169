"""Binance Spot: so far only the decoder of its private stream, the seed of an adapter that does not exist yet.

It lets recorded and live private events of a spot account be read into our reports; orders, REST and market data of the
spot market are not here.
"""

from execactor.venues.binance_spot.decode import SpotDecoder

__all__ = ["SpotDecoder"]
