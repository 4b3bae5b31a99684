"""Processes from the inside and from the outside: limits of our own, and what Linux counts for another one."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path
from typing import Final

import msgspec

TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
"""What the kernel counts processor time in, as far as /proc shows."""

SPARE_FILES: Final = 200


class Memory(msgspec.Struct, frozen=True):
    """Resident memory of a process in KiB: all of it, its share of what is shared, and what is its alone."""

    rss_kib: int
    pss_kib: int
    private_kib: int


def confine(cpu: int | None, lifetime_s: int) -> None:
    """For a process of the bench: stay on one processor, end after `lifetime_s` in any case, open all files allowed."""
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    signal.alarm(lifetime_s)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def files_missing(connections: int) -> int:
    """How many open files short of so many connections the hard limit is; 0 when it is enough."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 0 if hard == resource.RLIM_INFINITY else max(0, connections + SPARE_FILES - hard)


def parse_stat(stat: str) -> float:
    """User and system seconds out of the text of /proc/PID/stat: fields 14 and 15, counted from behind the name."""
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def parse_smaps_rollup(text: str) -> Memory:
    """Raises KeyError when a line is missing."""
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in text.splitlines()[1:])}
    return Memory(kib["Rss"], kib["Pss"], kib["Private_Clean"] + kib["Private_Dirty"])


def parse_processor(stat: str, cpu: int) -> float:
    """Seconds in which the processor was busy, out of the text of /proc/stat: all but idle and waiting for I/O.

    Raises StopIteration for a processor that is not there.
    """
    line = next(line for line in stat.splitlines() if line.startswith(f"cpu{cpu} "))
    user, nice, system, _, _, irq, softirq, steal = (int(field) for field in line.split()[1:9])
    return (user + nice + system + irq + softirq + steal) * TICK_S


def cpu_s(pid: int) -> float:
    return parse_stat(Path(f"/proc/{pid}/stat").read_text())


def memory(pid: int) -> Memory:
    return parse_smaps_rollup(Path(f"/proc/{pid}/smaps_rollup").read_text())


def processor_busy_s(cpu: int) -> float:
    return parse_processor(Path("/proc/stat").read_text(), cpu)
