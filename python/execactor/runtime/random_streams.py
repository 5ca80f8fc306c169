"""Random numbers that a run can be repeated with: one seed, and an independent stream for each purpose."""

import hashlib
import random


class RandomStreams:
    """Streams by name, each derived from the seed and its name alone: a new purpose never shifts another's draws.

    The derivation is stable across processes, machines and Python versions. Draw with `random()` where a run must be
    the same on every Python version: what the library makes of it in other methods has changed before.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._streams: dict[str, random.Random] = {}

    def of(self, purpose: str) -> random.Random:
        """The stream of a purpose; the same one at each call."""
        stream = self._streams.get(purpose)
        if stream is None:
            digest = hashlib.blake2b(f"{self.seed}:{purpose}".encode(), digest_size=16).digest()
            stream = self._streams[purpose] = random.Random(int.from_bytes(digest, "big"))  # noqa: S311  repeatable
        return stream
