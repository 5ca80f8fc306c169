"""What the adapter assumes about the venue although no source that was read states it: to be probed on the demo venue.

Each constant is one assumption (tag M in the fact sheet). Assumptions that shape the code without a value of their own:
- The order that a triggered conditional order becomes carries its clientAlgoId as client order id (NautilusTrader
  relies on it): a client id alone does not tell which of the two an order event concerns, so a child is cancelled and
  queried by its venue id.
- userTrades may apply its seven-day window to a listing by fromId too, so paging goes window by window.
- Margin is not reserved for a conditional order that waits; reduce-only and close-position are checked at the trigger.
- clientAlgoId and newClientOrderId are separate name spaces. Ours never repeat across both.
- A second close-position stop of one direction answers -4130, one without a position -4509, a close beside a resting
  reduce-only limit for the whole position -4118 (third-party logs; all three are in the table of error_codes.py).
- An acknowledged stop may be missing from queries and listings for up to 40 s, or vanish (freqtrade issue 12681,
  nautilus discussion 5378): so NotFound proves nothing, and the engine verifies each stop.
"""

import re
from typing import Final

SAFE_UNQUOTED: Final = re.compile(r"[A-Za-z0-9._-]+")
"""Whether the WebSocket API signs values percent-encoded or as they are is not documented: client ids and symbols that
do not look the same either way take the REST path, whose rule is documented."""

GTE_EXPIRES: Final = "GTE_GTC"
"""An EXPIRED conditional order without an expiry reason has been triggered (logs of 2021 and 2022), unless its time
in force is this one, which the venue expires once the position is closed."""

TRADE_HISTORY_DAYS: Final = 90
"""userTrades reaches back three months since 2026-08-26; 90 days are surely within them."""
