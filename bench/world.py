"""How fast the world runs: simulated station-hours per second of processor time, idle and charging (`python -m bench.world`).

Idle: heartbeats every 300 s, aligned values every 900 s. Charging: one slot, a sample of eight values every 60 s. Byte-level link, every
promise checked, every frame both ways judged by the oracle; and the same with a toy CSMS and no judges, to see what those cost. Once
interpreted, and once compiled where `make fast` has built it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

from sim.checkers.all import every
from sim.csms.oracle import Oracle
from sim.fleet import EIGHT_VALUES
from sim.profiles import PROFILES
from sim.vehicle import Vehicle
from sim.world import World
from station.words.settings import Settings
from tools import fast

IDLE_H = 48
CHARGING_H = 4
TARGETS = {"idle": 2000, "charging": 150}


def hours_per_second(charging: bool, judged: bool, hours: float) -> float:
    """Station-hours per second of processor time."""
    settings = Settings(
        sampled=EIGHT_VALUES,
        sample_interval_s=60,
        aligned_interval_s=0 if charging else 900,
        ping_interval_s=0,
        cards_decided_by="nobody",
    )
    judges = every() if judged else ()
    world = World(1, settings=settings, checkers=judges, csms=Oracle(1) if judged else None, keep=False, effects=False)
    for unit in world.units.values():
        unit.frames = False
    world.run(10)
    if charging:
        world.boards["CP1"].plug(1, Vehicle(PROFILES["i-miev"], 20))
    world.run(60)
    started = time.process_time()
    world.run(hours * 3600)
    return hours / (time.process_time() - started)


def speeds() -> dict[str, dict[str, float]]:
    """Station-hours per second of processor time, the best of three: {"idle": {"judged": ..., "unjudged": ...}, "charging": ...}."""
    return {
        name: {
            kind: max(hours_per_second(charging, judged, hours) for _ in range(3))
            for kind, judged in (("judged", True), ("unjudged", False))
        }
        for name, charging, hours in (("idle", False, IDLE_H), ("charging", True, CHARGING_H))
    }


def compiled() -> dict[str, dict[str, float]] | None:
    """The same of the fast build, or None where there is none of these sources."""
    if not fast.is_there():
        return None
    command = [sys.executable, "-m", "bench.world", "--json", "--here"]
    environment = fast.environment() | {"PYTHONPATH": f"{fast.OUT}:{fast.ROOT}", "PYTHONSAFEPATH": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    told: dict[str, dict[str, float]] = json.loads(done.stdout)["interpreted"]
    return told


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.world", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--here", action="store_true", help="only the code that this process runs")
    args = parser.parse_args()
    told: dict[str, dict[str, dict[str, float]] | None] = {"interpreted": speeds()}
    if not args.here:
        told["compiled"] = compiled()
    if args.json:
        print(json.dumps(told))
        return 0
    print("simulated station-hours per second of processor time, the best of three:")
    for build, figures in told.items():
        if figures is None:
            print(f"  {build}: not built; `make fast` does it, with a C compiler")
            continue
        for name, figure in figures.items():
            verdict = "reached" if figure["judged"] >= TARGETS[name] else "missed"
            print(
                f"  {build:11} {name:9} {figure['judged']:7.0f} with all judges, {figure['unjudged']:7.0f} without;"
                f" wanted {TARGETS[name]}: {verdict}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
