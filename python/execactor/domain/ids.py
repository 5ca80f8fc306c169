"""Client order ids: derivable again from the decision, never used twice.

`<prefix>_<role>_<decision key>[_a<attempt>]`, at most 36 characters of `[.A-Z:/a-z0-9_-]` (Binance's rule, the
strictest of the venues). Venues enforce uniqueness among open orders only, so uniqueness for ever is our business.
"""

import base64
import hashlib
import re

import msgspec

from execactor.domain.order import Role

MAX_LENGTH = 36
_LONGEST_ROLE = max(len(role) for role in Role)
_ATTEMPT_ROOM = len("_a99999")
_MAX_PREFIX = 8
MAX_KEY_LENGTH = MAX_LENGTH - _MAX_PREFIX - _LONGEST_ROLE - 2 - _ATTEMPT_ROOM
_KEY = re.compile(rf"[.A-Z:/a-z0-9_-]{{1,{MAX_KEY_LENGTH}}}")
_PREFIX = re.compile(rf"[A-Za-z0-9]{{1,{_MAX_PREFIX}}}")
_ATTEMPT = re.compile(r"_a(\d+)$")


class ParsedId(msgspec.Struct, frozen=True):
    """The parts of one of our client order ids; attempt counts from 1."""

    role: Role
    key: str
    attempt: int


def valid_prefix(prefix: str) -> bool:
    """Whether `prefix` may begin our ids: 1 to 8 letters and digits."""
    return _PREFIX.fullmatch(prefix) is not None


def decision_key(given: str | None, symbol: str, timestamp: str) -> str:
    """The key of a decision: the given id when it fits into a client order id, else a short hash.

    The hash is over the given id, or over symbol and timestamp (a decision without an id is identified by those).
    An id that ends like an attempt suffix is hashed too, so that parsing stays unambiguous.
    """
    if given is not None and _KEY.fullmatch(given) and not _ATTEMPT.search(given):
        return given
    source = given if given is not None else f"{symbol}|{timestamp}"
    digest = hashlib.blake2b(source.encode(), digest_size=7).digest()
    return base64.b32encode(digest).decode().rstrip("=").lower()


def client_order_id(prefix: str, role: Role, key: str, attempt: int = 1) -> str:
    """The id of the `attempt`-th order of `role` for the decision `key`.

    Raises ValueError when it would not fit, which cannot happen for a valid prefix, a key of `decision_key` and an
    attempt below 100,000.
    """
    suffix = f"_a{attempt}" if attempt > 1 else ""
    made = f"{prefix}_{role}_{key}{suffix}"
    if len(made) > MAX_LENGTH:
        raise ValueError(f"client order id {made!r} has {len(made)} characters; {MAX_LENGTH} is the most")
    return made


def parse(prefix: str, client_id: str) -> ParsedId | None:
    """The parts of `client_id`, or None when it is not one of ours."""
    head, _, rest = client_id.partition("_")
    role, _, tail = rest.partition("_")
    if head != prefix or not tail or role not in _ROLES:
        return None
    suffix = _ATTEMPT.search(tail)
    key = tail[: suffix.start()] if suffix else tail
    if not key:
        return None
    return ParsedId(Role(role), key, int(suffix.group(1)) if suffix else 1)


_ROLES = frozenset(str(role) for role in Role)
