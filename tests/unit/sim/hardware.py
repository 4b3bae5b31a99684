"""A simulated board on a bench: virtual time, everything it says written down, and the few moves that tests need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hal.actions import AnyAction, Offer, PermitPower, SetLock
from hal.signals import AnySignal, MeterRead
from hal.units import SECOND, Reading
from sim.board import SimBoard
from sim.profiles import PROFILES
from sim.scheduler import VirtualScheduler
from sim.vehicle import Vehicle
from station.words.settings import SlotShape, StationShape

S = TypeVar("S")

SOCKETS = StationShape()
TETHERED = StationShape(slots=(SlotShape(kind="tethered", max_current_ma=16_000),))
DIRECT = StationShape(slots=(SlotShape(kind="dc", max_current_ma=250_000),))


class LateScheduler(VirtualScheduler):
    """Runs everything at the next multiple of `tick_s`, as a busy host does, only worse."""

    __slots__ = ("calls", "tick_s")

    def __init__(self, tick_s: int) -> None:
        super().__init__()
        self.tick_s = tick_s
        self.calls = 0

    def call_at(self, at_ns: int, call: Callable[..., None], *args: Any) -> list[Any]:
        self.calls += 1
        tick_ns = self.tick_s * SECOND
        return super().call_at(-(-at_ns // tick_ns) * tick_ns if tick_ns else at_ns, call, *args)


class Bench:
    """`said` holds (milliseconds, signal) since the last `hush`. `tick_s`: the clock is late by up to so much."""

    def __init__(
        self, shape: StationShape = SOCKETS, latency_ms: int = 50, log_periods: bool = False, tick_s: int = 0
    ) -> None:
        self.clock = LateScheduler(tick_s)
        self.board = SimBoard(shape, latency_ms=latency_ms, log_periods=log_periods)
        self.said: list[tuple[int, AnySignal]] = []
        self.board.start(self.hear, self.clock)
        self.run(max(1, tick_s))
        self.hush()

    def hear(self, signal: AnySignal) -> None:
        self.said.append((self.now_ms, signal))

    def hush(self) -> None:
        self.said.clear()

    @property
    def now_ms(self) -> int:
        return self.now_ns // 1_000_000

    @property
    def now_ns(self) -> int:
        return self.clock.now().mono_ns

    def run(self, seconds: float) -> None:
        self.clock.run_for(seconds)

    def apply(self, *actions: AnyAction) -> None:
        for action in actions:
            self.board.apply(action)

    def heard(self, kind: type[S]) -> list[S]:
        return [signal for _, signal in self.said if isinstance(signal, kind)]

    def times(self, signal: AnySignal) -> list[int]:
        return [at for at, said in self.said if said == signal]

    def car(self, profile: str = "model-3-lr", soc_permille: int = 500, slot: int = 1) -> Vehicle:
        """Plug it in."""
        vehicle = Vehicle(PROFILES[profile], soc_permille)
        assert self.board.plug(slot, vehicle)
        return vehicle

    def charge(
        self, profile: str = "model-3-lr", soc_permille: int = 500, offer_ma: int = 32_000, slot: int = 1
    ) -> Vehicle:
        """Plug, lock where there is a lock, permit, offer; runs nothing."""
        vehicle = self.car(profile, soc_permille, slot)
        if self.board.slot(slot).shape.has_lock:
            self.apply(SetLock(slot, True))
        self.apply(PermitPower(slot, True), Offer(slot, offer_ma))
        return vehicle

    def until_live(self, slot: int = 1) -> None:
        """Run to the instant at which the contactor has closed. Fails after an hour."""
        end_ns = self.now_ns + 3_600 * SECOND
        while not self.board.is_energised(slot) and self.now_ns < end_ns:
            assert self.clock.run_next(), "nothing will happen any more"
        assert self.board.is_energised(slot)

    def reading(self, slot: int = 1) -> Reading:
        reading = self.board.slot(slot).meter.read(self.now_ns)
        assert isinstance(reading, Reading)
        return reading

    def answers(self) -> list[Reading]:
        return [signal.reading for signal in self.heard(MeterRead)]
