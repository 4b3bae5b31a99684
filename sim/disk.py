"""A disk in virtual time that keeps the contract of hal/store.py and can be slow, full, failing, damaged, or cut off.

Not here: any file or clock. Bodies are encoded when they are written and read back from their bytes, as on a real disk, so that a layout
that cannot be read again is found in the world and not on a charger. One disk may serve one station or all of a world.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from hal.clock import Scheduler
from hal.disk import Persist, RecordKey, Stored
from hal.store import Answer, Damaged, Image, Tell
from hal.units import MILLISECOND, MonoNs
from station.adapters.batches import (
    BALLAST_BYTES,
    GROUP_MS,
    IDLE_MS,
    Group,
    Op,
    check_group,
    failures,
    image_of,
    ticket_of,
    unanswerable,
)

FREE_BYTES = 1 << 30  # of a disk that is not full
RETRY_MS = 1000


class SimDisk:
    """See hal.store.Store. Times in milliseconds, instants in nanoseconds of the scheduler.

    `latency_ms` is how long one write takes, however many batches it holds; `group_ms` how long a batch with a ticket may wait for
    company (50 to 1000). Faults end at the instant they are given.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        tell: Tell,
        *,
        latency_ms: int = 5,
        group_ms: int = GROUP_MS,
        ballast_bytes: int = BALLAST_BYTES,
    ) -> None:
        self.damaged: list[Damaged] = []
        self._scheduler = scheduler
        self._tell = tell
        self._latency_ms = latency_ms
        self._group_ms = check_group(group_ms)
        self._rows: dict[str, dict[RecordKey, tuple[int, bytes]]] = {}
        self._waiting: list[Op] = []
        self._writing: list[Op] = []  # begun, not yet durable
        self._write = 0  # counts writes: the end of one that was overtaken by a cut or a `load` means nothing
        self._due: MonoNs | None = None
        self._answers: deque[tuple[str, Answer]] = deque()
        self._ballast_bytes = self._ballast = ballast_bytes
        self._fails_until = self._full_until = self._slow_until = 0
        self._slow_ms = 0

    # The port

    def persist(self, station: str, batch: Persist) -> None:
        self._waiting.append((station, batch))
        self._begin_in(0 if batch.urgent else self._group_ms if batch.ticket else IDLE_MS)

    def forget(self, station: str, keys: tuple[RecordKey, ...]) -> None:
        self._waiting.append((station, keys))
        self._begin_in(IDLE_MS)

    def load(self, station: str) -> Image:
        self._settle(self._take_all())
        self._answers = deque(item for item in self._answers if item[0] != station)
        if self._answers:
            self._scheduler.call_at(self._now(), self._answer)
        image, damaged = self._read(station)
        self.damaged = [item for item in self.damaged if item.station != station] + damaged
        return image

    def free_bytes(self) -> int | None:
        return 0 if self._now() < self._full_until else FREE_BYTES

    def close(self) -> None:
        self._settle(self._take_all())
        self._answers.clear()

    # For checkers

    def durable(self, station: str) -> Image:
        """What a power cut at this instant would surely leave of the station. Changes nothing; leaves damaged rows out."""
        return self._read(station)[0]

    def unsynced(self, station: str | None = None) -> int:
        """How many batches and Forgets of the station, or of all, are not durable yet."""
        return sum(station in (None, name) for name, _ in (*self._writing, *self._waiting))

    # Faults

    def fail(self, until_ns: MonoNs) -> None:
        """Every write that would end before that instant fails with an I/O error."""
        self._fails_until = until_ns

    def full(self, until_ns: MonoNs) -> None:
        """No room before that instant: writes fail, save urgent ones while the ballast lasts. It is filled again afterwards."""
        self._full_until = until_ns

    def slow(self, until_ns: MonoNs, latency_ms: int) -> None:
        """Writes that begin before that instant take so long."""
        self._slow_until = until_ns
        self._slow_ms = latency_ms

    def damage(self, station: str, kind: str, key: str) -> bool:
        """Spoil the bytes of a durable row. False if there is none."""
        rows = self._rows.get(station, {})
        if (kind, key) not in rows:
            return False
        v, body = rows[kind, key]
        rows[kind, key] = (v, body[: len(body) // 2] + b"\xff")
        return True

    def crash(self, keep: Callable[[int], int], station: str | None = None) -> int:
        """Cut the power, of one station or of all: what is not durable is lost but for its first `keep(count)` batches, 0 to count.

        Nobody is told anything of before the cut. Returns how many were lost. Raises ValueError when `keep` answers out of bounds.
        """
        unsynced = [*self._writing, *self._waiting]
        mine = [op for op in unsynced if station in (None, op[0])]
        kept = keep(len(mine))
        if not 0 <= kept <= len(mine):
            raise ValueError(f"cannot keep {kept} of {len(mine)} batches")
        self._apply(Group(mine[:kept]))
        self._writing = [op for op in self._writing if station not in (None, op[0])]
        self._waiting = [op for op in self._waiting if station not in (None, op[0])]
        self._answers = deque(item for item in self._answers if station not in (None, item[0]))
        return len(mine) - kept

    # Writing

    def _now(self) -> MonoNs:
        return self._scheduler.now().mono_ns

    def _begin_in(self, wait_ms: int) -> None:
        due = self._now() + wait_ms * MILLISECOND
        if self._due is None or due < self._due:
            self._due = due
            self._scheduler.call_at(due, self._begin, due)

    def _begin(self, due: MonoNs) -> None:
        if due != self._due or self._writing:  # overtaken, or one write is under way: its end begins the next
            return
        self._due = None
        self._writing, self._waiting = self._waiting, []
        self._write += 1
        latency_ms = self._slow_ms if self._now() < self._slow_until else self._latency_ms
        self._scheduler.call_at(self._now() + latency_ms * MILLISECOND, self._end, self._write)

    def _end(self, write: int) -> None:
        if write != self._write:
            return
        ops, self._writing = self._writing, []
        self._settle(ops)
        if self._due is not None and self._due <= self._now():  # it passed while this one was written
            self._scheduler.call_at(self._due, self._begin, self._due)
        self._answer()

    def _take_all(self) -> list[Op]:
        ops = [*self._writing, *self._waiting]
        self._writing, self._waiting, self._due = [], [], None
        self._write += 1
        return ops

    def _settle(self, ops: list[Op]) -> None:
        """Write a group or fail; the answers wait for `_answer`."""
        if not ops:
            return
        group = Group(ops)
        why = self._refusal(group)
        if why is None:
            self._apply(group)
            self._answers += [(station, Stored(ticket)) for station, change in ops if (ticket := ticket_of(change))]
            return
        after, self._waiting = self._waiting, []
        ops = [*ops, *after]
        self._waiting = unanswerable(ops)
        self._answers += failures(ops, why)
        if self._waiting:
            self._begin_in(RETRY_MS)

    def _refusal(self, group: Group) -> str | None:
        now = self._now()
        if now < self._fails_until:
            return "the disk reports an I/O error"
        if now >= self._full_until:
            self._ballast = self._ballast_bytes
            return None
        size = sum(len(msgspec.json.encode(record.body)) for record in group.puts.values())
        if not group.urgent or size > self._ballast:
            return "the disk is full"
        self._ballast -= size
        return None

    def _apply(self, group: Group) -> None:
        for station, kind, key in group.drops:
            self._rows.get(station, {}).pop((kind, key), None)
        for (station, kind, key), record in group.puts.items():
            self._rows.setdefault(station, {})[kind, key] = (record.v, msgspec.json.encode(record.body))

    def _answer(self) -> None:
        while self._answers:
            self._tell(*self._answers.popleft())

    def _read(self, station: str) -> tuple[Image, list[Damaged]]:
        rows: Iterable[tuple[str, str, int, bytes]] = (
            (kind, key, v, body) for (kind, key), (v, body) in sorted(self._rows.get(station, {}).items())
        )
        return image_of(station, rows)


class Disks:
    """A disk for each station of a world, as one store."""

    def __init__(self, scheduler: Scheduler, tell: Tell) -> None:
        self._scheduler, self._tell = scheduler, tell
        self._by_station: dict[str, SimDisk] = {}
        self.damaged: list[Damaged] = []

    def __getitem__(self, station: str) -> SimDisk:
        if station not in self._by_station:
            self._by_station[station] = SimDisk(self._scheduler, self._tell)
        return self._by_station[station]

    def load(self, station: str) -> Image:
        return self[station].load(station)

    def persist(self, station: str, batch: Persist) -> None:
        self[station].persist(station, batch)

    def forget(self, station: str, keys: tuple[RecordKey, ...]) -> None:
        self[station].forget(station, keys)

    def free_bytes(self) -> int | None:
        return None

    def close(self) -> None:
        for disk in self._by_station.values():
            disk.close()
