"""Hunts in whatever station is on the path: seeds of the swarm until the named promise breaks, then shrinks. Prints one line of JSON.

Run as a file from a copy of the sources (`run.py` makes it); imports nothing of the tests.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

import msgspec

from sim.runs import breaks, counterexample, run, save
from sim.shrink import shrink, size
from sim.swarm import draw

CRASH = "nothing raises"


class Hunt(msgspec.Struct):
    """What came of it. `seeds` is how many were needed, 0 if it was not found; `others` the promises that broke before, by name."""

    seeds: int = 0
    size: int = 0
    plan: str = ""
    sentence: str = ""
    file: str = ""
    hunt_s: float = 0.0
    shrink_s: float = 0.0
    others: dict[str, int] = {}


def hunt(promise: str, seeds: int, folder: Path | None) -> Hunt:
    began, others = time.process_time(), Counter[str]()
    for seed in range(1, seeds + 1):
        plan = draw(seed)
        outcome = run(seed, plan)[0]
        if outcome.promise != promise:
            others.update([outcome.promise] if outcome.promise else [])
            continue
        found = time.process_time()
        small = shrink(plan, breaks(seed, promise))
        told = run(seed, small)[0]
        done = Hunt(seed, size(small), msgspec.json.encode(small).decode(), told.sentence, others=dict(others))
        done.hunt_s, done.shrink_s = found - began, time.process_time() - found
        if folder is not None:
            done.file = str(save(counterexample(seed, small), folder))
        return done
    return Hunt(others=dict(others), hunt_s=time.process_time() - began)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("promise")
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    print(msgspec.json.encode(hunt(args.promise, args.seeds, args.out)).decode())


if __name__ == "__main__":
    main()
