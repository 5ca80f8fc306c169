"""Whose order it is and what it is for, read from the client id `<prefix>_<role>_<key>[_a<attempt>]`."""

import re
from dataclasses import dataclass

_OURS = re.compile(r"(?P<role>entry|leg\d+|slt?|tp\d+|exit)_(?P<key>.+?)(?:_a\d+)?")


@dataclass(frozen=True, slots=True)
class Name:
    """What one of our client ids says; role and key are empty when it does not follow the scheme."""

    role: str
    key: str

    @property
    def opens(self) -> bool:
        """Whether orders of this role may take new risk."""
        return self.role == "entry" or self.role.startswith("leg")


class Names:
    """Tells our client ids from foreign ones by the prefix."""

    def __init__(self, prefix: str) -> None:
        self.head = f"{prefix}_"

    def ours(self, client_id: str) -> bool:
        """Whether the id carries our prefix."""
        return client_id.startswith(self.head)

    def parse(self, client_id: str) -> Name | None:
        """The id's parts, or None for a foreign id."""
        if not self.ours(client_id):
            return None
        found = _OURS.fullmatch(client_id.removeprefix(self.head))
        return Name(found["role"], found["key"]) if found else Name("", "")
