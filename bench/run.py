"""What `make bench` prints: decision to venue through all actors, the book beside a plain Python one, the runtime.

`--capture FILE` names a recorded capture for the book; without one it looks in ../shared/data, and falls back to a
seeded feed, saying so. `--json` prints one object. Exit code 1 when a gate fails.
"""

import argparse
import json
import sys
from pathlib import Path

import book
import latency
import runtime
import runtime_report

CAPTURE = Path(__file__).resolve().parents[2] / "shared" / "data" / "binance_usdm" / "btcusdt_20240808.gz"


def main() -> int:
    """Run the benches one after the other: they would disturb each other. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--capture", type=Path, default=CAPTURE)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    books = book.run(options.capture)
    repeat = 1 if options.quick else 3
    decisions = latency.measure(10, 1_000, repeat=repeat, hot=1_000, cold=100)
    actors = runtime.measure(runtime.QUICK if options.quick else runtime.FULL)
    if options.json:
        print(json.dumps({"book": books, "decision": decisions, "runtime": actors}))
    else:
        book.show(books)
        print()
        print("Decision to venue: all actors, risk, journal on disk, signing; the venue in processes of its own")
        latency.show(decisions)
        print()
        runtime_report.show(actors)
    return runtime.exit_code(actors) or latency.exit_code(decisions)


if __name__ == "__main__":
    sys.exit(main())
