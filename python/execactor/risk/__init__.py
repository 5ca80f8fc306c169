"""Risk, pure: limits and the pre-trade check, equity watch, kill switch, the last look before the write."""
