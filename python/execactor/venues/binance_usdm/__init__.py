"""Binance USDⓈ-M futures (fapi), in the shape of 2026."""

from execactor.venues.binance_usdm.adapter import BinanceUsdm
from execactor.venues.binance_usdm.settings import TESTNET, BinanceSettings, MarginType, Urls, sim_urls

__all__ = ["TESTNET", "BinanceSettings", "BinanceUsdm", "MarginType", "Urls", "sim_urls"]
