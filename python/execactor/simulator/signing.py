"""Who is asking, and is it signed: API key, HMAC-SHA256 signature and time window (section 2 of the fact sheet).

The payload is rebuilt from what was received, never from what was parsed: for REST the query string and the body as
they came, without the signature; for the WebSocket API all parameters but the signature, sorted by name.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping

from execactor.simulator import errors
from execactor.simulator.params import integer

DEFAULT_RECV_WINDOW_MS = 5000
_SIGNATURE = re.compile(r"(?:^|&)signature=([^&]*)")


class Keyring:
    """The one API key of the venue."""

    def __init__(self, api_key: str, api_secret: str) -> None:
        self._key = api_key
        self._secret = api_secret.encode()

    def check_key(self, api_key: str | None) -> None:
        """Raises -2014 without a key, -2015 for a foreign one."""
        if not api_key:
            raise errors.bad_key_format()
        if api_key != self._key:
            raise errors.bad_key()

    def check_rest(self, query: str, body: str) -> None:
        """Raises -1102 without a signature, -1022 when it does not fit."""
        signature = _SIGNATURE.search(query) or _SIGNATURE.search(body)
        payload = _SIGNATURE.sub("", query) + _SIGNATURE.sub("", body)
        self._check(payload, signature.group(1) if signature else None)

    def check_ws(self, params: Mapping[str, str]) -> None:
        """The same for the parameters of one WebSocket API request, as text."""
        payload = "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "signature")
        self._check(payload, params.get("signature"))

    def _check(self, payload: str, signature: str | None) -> None:
        if not signature:
            raise errors.missing("signature")
        expected = hmac.new(self._secret, payload.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), signature.lower().encode()):
            raise errors.bad_signature()


def check_time(params: Mapping[str, str], now_ms: int) -> None:
    """Accepts iff timestamp < server time + 1000 and server time - timestamp <= recvWindow; raises -1102 or -1021."""
    timestamp = integer(params, "timestamp")
    if timestamp is None:
        raise errors.missing("timestamp")
    window = integer(params, "recvWindow")
    window = DEFAULT_RECV_WINDOW_MS if window is None else window
    if not 0 < window <= 60_000:
        raise errors.VenueError(-1131, "recvWindow must be less than 60000.")
    if timestamp >= now_ms + 1000:
        raise errors.ahead_of_server()
    if now_ms - timestamp > window:
        raise errors.outside_window()
