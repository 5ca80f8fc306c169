"""What `make bench` prints: decision to wire through all actors, and the book beside a plain Python one.

`--capture FILE` names a recorded capture for the book; without one it looks in ../shared/data, and falls back to a
seeded feed, saying so. `--json` prints one object.
"""

import argparse
import json
from pathlib import Path

import book
import latency
import uvloop

CAPTURE = Path(__file__).resolve().parents[2] / "shared" / "data" / "binance_usdm" / "btcusdt_20240808.gz"


def main() -> None:
    """Run both benches one after the other: they would disturb each other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--capture", type=Path, default=CAPTURE)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    books = book.run(options.capture)
    legs = uvloop.run(latency.measure(symbols=40, rounds=25, pause_s=0.002))
    if options.json:
        print(json.dumps({"book": books, "latency_us": legs}))
        return
    book.show(books)
    print()
    print("Decision to wire: all actors, risk, journal on disk, signing; the simulated venue in another process")
    latency.show(legs)


if __name__ == "__main__":
    main()
