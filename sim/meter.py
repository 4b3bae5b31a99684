"""A simulated energy meter: a device with a memory of its own, which a power cut of the station does not touch.

It integrates the power of the car behind it in closed form, when it is read; there is no timer in here. Its memory can
be written to a file and read by another program, so that a third one can hold the books of a central system against it,
to the Wh.
Not here: what the station makes of a reading (`meter/register.py`).
"""

from __future__ import annotations

import enum
import os
from collections import deque
from collections.abc import Iterable
from math import sqrt
from pathlib import Path
from typing import Final, Protocol, TypeAlias

import msgspec

from hal.clock import Now
from hal.units import MilliAmps, MilliWh, MonoNs, Reading, SlotId, UtcMs

PERIODS_KEPT: Final = 1_000
MAINS_MV: Final[tuple[int, int, int]] = (230_000, 230_000, 230_000)
_Phases: TypeAlias = tuple[int, int, int]
_ZEROS: Final[_Phases] = (0, 0, 0)
_POWER_FACTOR: Final = 0.99


class MeterFaultKind(enum.Enum):
    """What may be wrong with a meter. All act on what it shows, none on what it has counted."""

    SILENT = "silent"  # no answer
    NAN = "nan"  # an answer that is no number
    FREEZE = "freeze"  # the last reading again and again
    SPIKE = "spike"  # the register shows `amount_mwh` too much
    BACKWARDS = "backwards"  # the register shows `amount_mwh` too little
    ROLLOVER = "rollover"  # the register stands `amount_mwh` before its end, and runs over; stays so afterwards
    SWAPPED = "swapped"  # phases in the wrong order


class MeterFault(msgspec.Struct, frozen=True, gc=False):
    kind: MeterFaultKind
    amount_mwh: MilliWh = 0


class Period(msgspec.Struct, frozen=True, gc=False):
    """One time that the contactor was closed; still closed while `opened_utc_ms` is None."""

    closed_utc_ms: UtcMs
    opened_utc_ms: UtcMs | None
    start_mwh: MilliWh
    end_mwh: MilliWh


class MeterMemory(msgspec.Struct, frozen=True):
    """What a meter remembers: its absolute register, where that rolls over (0: never), its load profile if kept."""

    station: str
    slot: SlotId
    register_mwh: MilliWh
    wrap_mwh: MilliWh = 0
    periods: tuple[Period, ...] = ()


class Load(Protocol):
    """What draws behind the meter. Energy in mWh since some beginning, power in mW; neither depends on being asked."""

    @property
    def phases(self) -> int: ...

    @property
    def reactive_ma(self) -> MilliAmps: ...

    def drawn_mwh(self, now_ns: MonoNs) -> MilliWh: ...

    def power_mw(self, now_ns: MonoNs) -> int: ...

    def soc_percent(self, now_ns: MonoNs) -> int: ...


class SimMeter:
    """A three-phase meter of one slot, phases in its own order.

    `wrap_mwh` is the register's width: it shows the register modulo that (0: it never rolls over). `soc`: it also tells
    the car's state of charge (direct current). `log`: it remembers the last 1,000 energised periods; fleets do without.
    """

    __slots__ = (
        "_base_mwh",
        "_closed",
        "_from_mwh",
        "_frozen",
        "_load",
        "_shift_mwh",
        "ambient_mc",
        "fault",
        "mains_mv",
        "periods",
        "slot",
        "soc",
        "wrap_mwh",
    )

    def __init__(
        self, slot: SlotId, register_mwh: MilliWh = 0, *, wrap_mwh: MilliWh = 0, soc: bool = False, log: bool = False
    ) -> None:
        self.slot = slot
        self.wrap_mwh = wrap_mwh
        self.soc = soc
        self.mains_mv = MAINS_MV
        self.ambient_mc = 21_000
        self.fault: MeterFault | None = None
        self.periods: deque[Period] | None = deque(maxlen=PERIODS_KEPT) if log else None
        self._base_mwh = register_mwh
        self._from_mwh = 0
        self._load: Load | None = None
        self._frozen: Reading | None = None
        self._shift_mwh = 0
        self._closed: tuple[UtcMs, MilliWh] | None = None

    # -- what it counts ----------------------------------------------------------------------------

    def register_mwh(self, now_ns: MonoNs) -> MilliWh:
        """The true absolute register, whatever the meter shows."""
        if self._load is None:
            return self._base_mwh
        return self._base_mwh + self._load.drawn_mwh(now_ns) - self._from_mwh

    def attach(self, load: Load | None, now_ns: MonoNs) -> None:
        """From now on this (or nothing) is behind the meter."""
        self._base_mwh = self.register_mwh(now_ns)
        self._load = load
        self._from_mwh = load.drawn_mwh(now_ns) if load is not None else 0

    def note_contactor(self, closed: bool, now: Now) -> None:
        """For the load profile: the contactor has closed or opened."""
        if self.periods is None:
            return
        register = self.register_mwh(now.mono_ns)
        if self._closed is not None:
            self.periods.append(Period(self._closed[0], now.os_utc_ms, self._closed[1], register))
        self._closed = (now.os_utc_ms, register) if closed else None

    # -- what it shows -----------------------------------------------------------------------------

    def read(self, now_ns: MonoNs) -> Reading | str:
        """A reading, or why there is none."""
        fault = self.fault
        if fault is None and not self._shift_mwh:
            return self._look(now_ns, self.register_mwh(now_ns))
        return self._look_wrongly(now_ns, fault)

    def set_fault(self, fault: MeterFault | None, now_ns: MonoNs) -> None:
        """Break it, or mend it with None. Raises ValueError for a rollover of a register without an end."""
        self._frozen = None
        if fault is not None and fault.kind is MeterFaultKind.FREEZE:
            self._frozen = self._look(now_ns, self.register_mwh(now_ns) + self._shift_mwh)
        elif fault is not None and fault.kind is MeterFaultKind.ROLLOVER:
            if not self.wrap_mwh:
                raise ValueError("this register never rolls over")
            self._shift_mwh = self.wrap_mwh - fault.amount_mwh - self.register_mwh(now_ns)
        self.fault = fault

    def _look_wrongly(self, now_ns: MonoNs, fault: MeterFault | None) -> Reading | str:
        register = self.register_mwh(now_ns) + self._shift_mwh
        if fault is None:
            return self._look(now_ns, register)
        match fault.kind:
            case MeterFaultKind.SILENT:
                return "no answer"
            case MeterFaultKind.NAN:
                return "not a number"
            case MeterFaultKind.FREEZE:
                return self._frozen if self._frozen is not None else "no answer"
            case MeterFaultKind.SPIKE:
                return self._look(now_ns, register + fault.amount_mwh)
            case MeterFaultKind.BACKWARDS:
                return self._look(now_ns, max(0, register - fault.amount_mwh))
            case MeterFaultKind.ROLLOVER:
                return self._look(now_ns, register)
            case MeterFaultKind.SWAPPED:
                return _swapped(self._look(now_ns, register))

    def _look(self, now_ns: MonoNs, register_mwh: MilliWh) -> Reading:
        load, mains = self._load, self.mains_mv
        # Small variations that only depend on the second and the slot: 0.5 V and 25 mHz either way.
        chance = ((now_ns // 1_000_000_000 + self.slot) * 2654435761 >> 7) & 0xFFFFFF
        voltage = (
            mains[0] + (chance & 1023) - 512,
            mains[1] + (chance >> 7 & 1023) - 512,
            mains[2] + (chance >> 14 & 1023) - 512,
        )
        total_mw = load.power_mw(now_ns) if load is not None else 0
        if load is None or total_mw <= 0:
            current, power = _ZEROS, _ZEROS
        else:
            current, power = _shares(load, total_mw, mains)
        return Reading(
            energy_mwh=register_mwh % self.wrap_mwh if self.wrap_mwh else register_mwh,
            current_ma=current,
            voltage_mv=voltage,
            power_mw=power,
            frequency_millihz=49_975 + (chance >> 3) % 51,
            temperature_mc=self.ambient_mc + current[0] // 2,
            soc_percent=load.soc_percent(now_ns) if self.soc and load is not None else None,
        )

    # -- its memory --------------------------------------------------------------------------------

    def memory(self, station: str, now_ns: MonoNs) -> MeterMemory:
        """What it would tell another program now."""
        register = self.register_mwh(now_ns)
        periods = tuple(self.periods or ())
        if self._closed is not None:
            periods = (*periods, Period(self._closed[0], None, self._closed[1], register))
        return MeterMemory(station, self.slot, register, self.wrap_mwh, periods)

    @classmethod
    def remember(cls, memory: MeterMemory, *, soc: bool = False, log: bool = False) -> SimMeter:
        """The same meter in another process. A period that was open when the memory was written ended there."""
        meter = cls(memory.slot, memory.register_mwh, wrap_mwh=memory.wrap_mwh, soc=soc, log=log)
        if meter.periods is not None:
            meter.periods.extend(memory.periods)
        return meter


def _shares(load: Load, total_mw: int, mains_mv: tuple[int, ...]) -> tuple[_Phases, _Phases]:
    """Currents and powers per phase: the same current in each phase that the load uses."""
    phases, idle_ma = load.phases, load.reactive_ma
    used_mv = mains_mv[0] if phases == 1 else sum(mains_mv[:phases])
    active_ma = total_mw * 1000 / (used_mv * _POWER_FACTOR)
    amps = round(sqrt(active_ma * active_ma + idle_ma * idle_ma))
    if phases == 1:
        return (amps, 0, 0), (total_mw, 0, 0)
    first, second = total_mw * mains_mv[0] // used_mv, total_mw * mains_mv[1] // used_mv
    if phases == 2:
        return (amps, amps, 0), (first, total_mw - first, 0)
    return (amps, amps, amps), (first, second, total_mw - first - second)


def _swapped(reading: Reading) -> Reading:
    return msgspec.structs.replace(
        reading,
        current_ma=(*reading.current_ma[1:], reading.current_ma[0]),
        voltage_mv=(*reading.voltage_mv[1:], reading.voltage_mv[0]),
        power_mw=(*reading.power_mw[1:], reading.power_mw[0]),
    )


def write_memories(path: str | os.PathLike[str], memories: Iterable[MeterMemory]) -> None:
    """Write meters' memories as one JSON list: whole and durable, or as it was before. Raises OSError."""
    target = Path(path)
    draft = target.with_name(target.name + ".new")
    with open(draft, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(list(memories)), indent=1))
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_memories(path: str | os.PathLike[str]) -> list[MeterMemory]:
    """Read them back. Raises OSError, and msgspec.DecodeError for a file that is something else."""
    return msgspec.json.decode(Path(path).read_bytes(), type=list[MeterMemory])
