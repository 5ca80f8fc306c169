"""`execactor demo`: three decisions on a simulated venue, a kill -9 in mid-trade, and a verdict by the checker."""

from execactor.service.demo.command import demo_command

__all__ = ["demo_command"]
