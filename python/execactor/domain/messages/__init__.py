"""Messages between actors, by topic: frozen structs that name what happened or what is wanted.

`lane` is the mailbox lane (domain/lanes.py); a message without one travels among commands.
"""
