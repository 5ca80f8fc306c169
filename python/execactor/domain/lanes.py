"""Mailbox lanes of messages, most urgent first (ARCHITECTURE section 3).

Private venue events share one lane, because order, fill and cancel events must keep their order. What is on its way to
the venue goes with them: once a decision is made, nothing of lesser weight is handled before its order has left.
"""

SYSTEM = 0
VENUE = 1
COMMAND = 2
MARKET = 3
