"""The process of one row: `count` stations against the CSMS at a URL until it is ended from outside."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Final

from bench.process import confine

ROWS: Final = {
    "memory": "ours, memory store",
    "sqlite": "ours, SQLite store",
    "bare": "bare protocol",
    "naive": "naive `ocpp` script",
}


async def run(row: str, url: str, count: int, store: str | None) -> None:
    """Each row imports its own libraries only: what a row does not use must not count as its memory."""
    match row:
        case "bare":
            from bench import bare

            await bare.run(url, count)
        case "naive":
            from bench import naive

            await naive.run(url, count)
        case _:
            from bench import ours

            await ours.run_fleet(url, count, store if row == "sqlite" else None)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.row", description=__doc__)
    parser.add_argument("row", choices=ROWS)
    parser.add_argument("--url", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--store", help="file of the SQLite row")
    parser.add_argument("--cpu", type=int, help="processor to stay on")
    parser.add_argument("--lifetime", type=int, default=3600, help="seconds after which the process ends in any case")
    options = parser.parse_args(arguments)
    confine(options.cpu, options.lifetime)
    asyncio.run(run(options.row, options.url, options.count, options.store))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
