"""Whose order it is and what it is for, read from the client id `<prefix>_<role>_<key>[_a<attempt>]`."""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

_OURS = re.compile(r"(?P<role>entry|leg\d+|slt?|tp\d+|exit)_(?P<key>.+?)(?:_a(?P<attempt>[1-9]\d*))?")
_ACCEPTED = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")


class Name(NamedTuple):
    """What one of our client ids says; role and key are empty when it does not follow the scheme."""

    role: str
    key: str
    attempt: int

    @property
    def opens(self) -> bool:
        """Whether orders of this role may take new risk."""
        return self.role == "entry" or self.role.startswith("leg")


_NAMELESS = Name("", "", 0)


@dataclass(slots=True)
class Names:
    """Tells our client ids from foreign ones by the prefix."""

    prefix: str
    _known: dict[str, Name | None] = field(default_factory=dict)

    @property
    def head(self) -> str:
        """What every id of ours begins with."""
        return f"{self.prefix}_"

    def ours(self, client_id: str) -> bool:
        """Whether the id carries our prefix."""
        return self.parse(client_id) is not None

    def parse(self, client_id: str) -> Name | None:
        """The id's parts, or None for a foreign id."""
        try:
            return self._known[client_id]
        except KeyError:
            name = self._known[client_id] = self._parse(client_id)
            return name

    def _parse(self, client_id: str) -> Name | None:
        if not client_id.startswith(self.head):
            return None
        found = _OURS.fullmatch(client_id.removeprefix(self.head))
        return Name(found["role"], found["key"], int(found["attempt"] or 1)) if found else _NAMELESS


def acceptable(client_id: str) -> bool:
    """Whether every venue takes it: 1 to 36 characters of `[.A-Z:/a-z0-9_-]`."""
    return _ACCEPTED.fullmatch(client_id) is not None
