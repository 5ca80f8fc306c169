"""Mailbox lanes of messages, most urgent first (ARCHITECTURE section 3).

Private venue events share one lane, because order, fill and cancel events must keep their order.
"""

SYSTEM = 0
VENUE = 1
COMMAND = 2
MARKET = 3
