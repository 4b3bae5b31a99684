"""The audit: every sabotage of audit.toml is tried, and the tests of its row must notice.

    python -m tests.audit.run [ROW ...]     all rows, or these; ends with 1 where anything is not as it should be

Before, the same tests run in an untouched copy, where they must pass.
"""

from __future__ import annotations

import os
import queue
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.audit.draw import covered, draw
from tests.audit.sabotage import Sabotage, Verdict, copied, run, sabotages, salt, tried, unharmed


def tried_all(chosen: list[Sabotage], workers: int) -> list[Verdict]:
    """Each in one of so many copies."""
    with ExitStack() as stack, ThreadPoolExecutor(workers) as pool:
        copies: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for _ in range(workers):
            copies.put(stack.enter_context(copied()))

        def one(sabotage: Sabotage) -> Verdict:
            root = copies.get()
            try:
                return tried(sabotage, root)
            finally:
                copies.put(root)

        return list(pool.map(one, chosen))


def main() -> int:
    wanted = sys.argv[1:]
    chosen = [one for one in sabotages() if not wanted or one.row in wanted]
    if not chosen:
        print(f"none of these rows is audited: {' '.join(wanted)}")
        return 1
    with copied() as root:
        clean = run(root, [test for one in chosen for test in one.tests])
    trouble = {one.row: unharmed(one, clean) for one in chosen}
    verdicts = tried_all(chosen, min(len(chosen), os.cpu_count() or 1))
    for sabotage, verdict in zip(chosen, verdicts, strict=True):
        result = verdict if not trouble[sabotage.row] else Verdict(sabotage.row, "void", trouble[sabotage.row])
        print(f"{result.result:<9} {sabotage.row:<38} {sabotage.file:<42} {result.detail:<24} {sabotage.breaks}")
    counts = {name: sum(v.result == name for v in verdicts) for name in ("caught", "survived", "stale", "void")}
    red_before = sum(map(bool, trouble.values()))
    print(", ".join(f"{count} {name}" for name, count in counts.items()) + f", {red_before} not green before")
    drawn = [one.row for one in sabotages()] == draw(salt(), covered())
    if not drawn:
        print("audit.toml has other rows than its salt draws: python -m tests.audit.draw")
    return 0 if drawn and not red_before and counts["caught"] == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
