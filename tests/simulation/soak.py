"""Trading sessions by seed, judged by the checker: `python tests/simulation/soak.py PROFILE FIRST COUNT`.

Longer than a test: one seed takes about half a minute of wall time. Exit 1 when any session breaks a rule.
"""

import asyncio
import json
import logging
import sys
import tempfile
from pathlib import Path

import scenario


def main(profile: str, first: int, count: int) -> int:
    """Run `count` seeds from `first`; prints a line for each, and where its logs lie."""
    bad = 0
    for seed in range(first, first + count):
        directory = Path(tempfile.mkdtemp(prefix=f"execactor-soak-{profile}-{seed}-"))
        logging.basicConfig(
            filename=directory / "engine.log",
            level=logging.INFO,
            format="%(asctime)s.%(msecs)03d %(name)s %(levelname)s %(message)s",
            force=True,
        )
        report, engine = asyncio.run(scenario.run_seed(seed, profile, directory))
        found = json.loads(report.to_json())
        bad += not report.ok
        print(
            seed,
            "ok" if report.ok else "BAD",
            engine["state"],
            f"{len(engine['trades'])} trades",
            f"{found['duplicates']} duplicates",
            f"unprotected {found['max_unprotected_ms']:.0f} ms",
            *found["mismatches"][:3],
            *found["violations"][:3],
            directory,
            flush=True,
        )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
