"""Typed access to the fields of a record, in the venue log and in the journal alike."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any


class MalformedError(ValueError):
    """A record of a known kind lacks a field or holds an impossible value; the message names both."""


class Fields:
    """One record's fields; a missing or impossible one raises MalformedError naming it."""

    __slots__ = ("body",)

    def __init__(self, body: Mapping[str, Any]) -> None:
        self.body = body

    def text(self, name: str) -> str:
        """A string."""
        value = self.body.get(name)
        if type(value) is not str:
            raise MalformedError(f"{name} is {value!r}, not a string")
        return value

    def integer(self, name: str) -> int:
        """An integer that is no truth value."""
        value = self.body.get(name)
        if type(value) is not int:
            raise MalformedError(f"{name} is {value!r}, not an integer")
        return value

    def optional_integer(self, name: str) -> int | None:
        """An integer, or None where the field is null or missing."""
        return None if self.body.get(name) is None else self.integer(name)

    def flag(self, name: str) -> bool:
        """Whether the field is true."""
        return self.body.get(name) is True

    def decimal(self, name: str) -> Decimal:
        """A finite decimal."""
        return decimal_of(self.body.get(name), name)

    def optional_decimal(self, name: str) -> Decimal | None:
        """A finite decimal, or None where the field is null or missing."""
        value = self.body.get(name)
        return None if value is None else decimal_of(value, name)

    def size(self, name: str) -> Decimal:
        """A decimal above zero."""
        value = decimal_of(self.body.get(name), name)
        if value <= 0:
            raise MalformedError(f"{name} is {value}, not above zero")
        return value

    def side(self) -> int:
        """+1 for BUY, -1 for SELL."""
        side = self.body.get("side")
        if side == "BUY":
            return 1
        if side == "SELL":
            return -1
        raise MalformedError(f"side is {side!r}, not BUY or SELL")

    def one_of(self, name: str, known: frozenset[str]) -> str:
        """A string out of a known set."""
        value = self.text(name)
        if value not in known:
            raise MalformedError(f"{name} is {value!r}, not one of {sorted(known)}")
        return value

    def mapping(self, name: str) -> Mapping[str, Any]:
        """An object; empty where the field is null or missing."""
        value = self.body.get(name)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise MalformedError(f"{name} is {value!r}, not an object")
        return value


_NUMBERS = frozenset({str, int, Decimal})


@lru_cache(maxsize=65_536)  # the same sizes and prices come again and again
def _parsed(value: Any) -> Decimal | None:
    try:
        parsed = Decimal(value)
    except InvalidOperation:
        return None
    return parsed if parsed.is_finite() else None


def decimal_of(value: object, name: str) -> Decimal:
    """`value` (a decimal string, an integer or a Decimal) as a finite Decimal; MalformedError names `name`."""
    if type(value) in _NUMBERS:
        parsed = _parsed(value)
        if parsed is not None:
            return parsed
    raise MalformedError(f"{name} is {value!r}, not a decimal string")
