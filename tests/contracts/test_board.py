"""What every board driver must do, run over all that are installed, the simulated one and the blueprint included.

A driver is found through the entry points `ev_station.boards`; one that needs hardware which is not here is skipped. Time
is virtual, and calls of one instant run in an order drawn by lot, as in the world.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from itertools import count
from typing import Any

import pytest

from hal import registry
from hal.actions import Offer, PermitPower, ReadMeter, SetLock, ShowLight
from hal.drivers._blueprint import BlueprintBoard
from hal.ports import Driver
from hal.registry import ConfigError
from hal.signals import (
    AnySignal,
    BoardReady,
    CableChanged,
    LockReported,
    MeterFailed,
    MeterRead,
    PowerReported,
    VehicleChanged,
)
from hal.units import Colour, Light, LockState
from sim.board import SimBoard
from sim.rng import Stream
from sim.scheduler import VirtualScheduler
from station.words.settings import TEMPLATES, StationShape

# The last two are here also where nothing is installed, as in a plain checkout.
DRIVERS: dict[str, Callable[[], type[Any]]] = {
    **{name: partial(registry.load, "boards", name) for name in registry.names("boards")},
    "sim": lambda: SimBoard,
    "blueprint": lambda: BlueprintBoard,
}


class Board:
    """A started driver, and what it says."""

    def __init__(self, driver: type[Any], shape: StationShape, seed: int) -> None:
        self.shape = shape
        self.clock = VirtualScheduler(ties=Stream(seed, "ties"))
        self.said: list[AnySignal] = []
        self.driver: Driver = registry.construct(registry.checked(driver), {}, shape, "board")
        try:
            self.driver.start(self.said.append, self.clock)
        except (OSError, NotImplementedError) as missing:
            pytest.skip(f"not without its hardware: {missing}")

    @property
    def slots(self) -> range:
        return range(1, len(self.shape.slots) + 1)

    @property
    def locked_slots(self) -> list[int]:
        return [slot for slot in self.slots if self.shape.slots[slot - 1].has_lock]

    def hear(self, seconds: float) -> list[AnySignal]:
        """What is said in so many seconds from now."""
        self.said.clear()
        self.clock.run_for(seconds)
        return self.said.copy()


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> type[Any]:
    return DRIVERS[request.param]()


@pytest.fixture(params=TEMPLATES)
def shape(request: pytest.FixtureRequest) -> StationShape:
    return TEMPLATES[request.param]


@pytest.fixture(params=[1, 2, 3])
def board(request: pytest.FixtureRequest, driver: type[Any], shape: StationShape) -> Board:
    return Board(driver, shape, request.param)


@pytest.fixture
def ready(board: Board) -> Board:
    assert BoardReady() in board.hear(10)
    board.said.clear()
    return board


def test_our_own_drivers_are_registered() -> None:
    try:
        points = distribution("ev-station").entry_points
    except PackageNotFoundError:
        pytest.skip("ev-station is not installed here")
    assert "sim" in {point.name for point in points if point.group == "ev_station.boards"}
    assert "sim" in registry.names("boards")


def test_start_reports_the_state_of_every_slot_and_then_ready_once(board: Board) -> None:
    assert board.said == [], "not from inside start"
    said = board.hear(10)
    assert said.count(BoardReady()) == 1
    before = said[: said.index(BoardReady())]
    for slot in board.slots:
        kinds = [type(signal) for signal in before if getattr(signal, "slot", 0) == slot]
        assert kinds.count(VehicleChanged) == 1
        assert kinds.count(PowerReported) == 1
        assert kinds.count(LockReported) == (slot in board.locked_slots)
        assert kinds.count(CableChanged) == (board.shape.slots[slot - 1].kind == "socket")


def test_no_contactor_is_closed_at_start(board: Board) -> None:
    powers = [signal for signal in board.hear(10) if isinstance(signal, PowerReported)]
    assert powers
    assert not any(signal.closed for signal in powers)


def test_nothing_is_said_from_inside_apply(ready: Board) -> None:
    for slot in ready.slots:
        ready.driver.apply(PermitPower(slot, False))
        ready.driver.apply(Offer(slot, 16_000))
        ready.driver.apply(Offer(slot, None))
        ready.driver.apply(ReadMeter(slot, slot))
        ready.driver.apply(ShowLight(slot, Light(Colour.GREEN)))
        if slot in ready.locked_slots:
            ready.driver.apply(SetLock(slot, True))
    ready.driver.apply(ShowLight(0, Light(Colour.GREEN)))
    assert ready.said == []


def test_every_reading_that_is_asked_for_is_answered_once_within_two_seconds(ready: Board) -> None:
    tickets = count(1)
    asked = {(slot, next(tickets)) for slot in ready.slots for _ in range(5)}
    for slot, ticket in sorted(asked):
        ready.driver.apply(ReadMeter(slot, ticket))
    answers = [signal for signal in ready.hear(2) if isinstance(signal, MeterRead | MeterFailed)]
    told = [(signal.slot, signal.ticket) for signal in answers if signal.ticket]
    assert sorted(told) == sorted(asked)
    for signal in answers:
        if isinstance(signal, MeterRead):
            assert signal.reading.energy_mwh >= 0
            assert all(len(values) in (0, 3) for values in (signal.reading.current_ma, signal.reading.voltage_mv))


def test_a_lock_that_is_moved_reports_where_it_is(ready: Board) -> None:
    for slot in ready.locked_slots:
        for closed, state in ((True, LockState.CLOSED), (True, LockState.CLOSED), (False, LockState.OPEN)):
            ready.driver.apply(SetLock(slot, closed))
            assert LockReported(slot, state) in ready.hear(5)


def test_a_lock_that_is_not_there_is_an_error(ready: Board) -> None:
    for slot in set(ready.slots) - set(ready.locked_slots):
        with pytest.raises(TypeError):
            ready.driver.apply(SetLock(slot, False))


def test_a_withdrawn_permission_is_answered_by_the_mirror_contact(ready: Board) -> None:
    for slot in ready.slots:
        ready.driver.apply(PermitPower(slot, False))
        assert PowerReported(slot, False) in ready.hear(1)


def test_without_a_vehicle_nothing_closes(ready: Board) -> None:
    for slot in ready.slots:
        ready.driver.apply(PermitPower(slot, True))
        ready.driver.apply(Offer(slot, 16_000))
    assert not any(isinstance(signal, PowerReported) and signal.closed for signal in ready.hear(120))


def test_an_idle_board_has_nothing_to_do(ready: Board) -> None:
    """A driver of real hardware waits for its file descriptors; a simulated one for people."""
    assert ready.hear(3_600) == []
    if isinstance(ready.driver, SimBoard):
        assert ready.clock.pending == 0


def test_after_stop_there_is_silence(ready: Board) -> None:
    for slot in ready.slots:
        ready.driver.apply(ReadMeter(slot, slot))
    for _ in range(2):
        ready.driver.stop()
    for slot in ready.slots:
        ready.driver.apply(ReadMeter(slot, slot))
        ready.driver.apply(PermitPower(slot, False))
    assert ready.hear(60) == []


def test_stop_before_start_is_harmless(driver: type[Any], shape: StationShape) -> None:
    made = registry.construct(driver, {}, shape, "board")
    made.stop()
    made.stop()


def test_it_can_be_started_again(ready: Board) -> None:
    for slot in ready.slots:
        ready.driver.apply(ReadMeter(slot, slot))
    ready.driver.stop()
    ready.driver.start(ready.said.append, ready.clock)
    said = ready.hear(10)
    assert said.count(BoardReady()) == 1
    assert not any(isinstance(signal, MeterRead | MeterFailed) for signal in said), "tickets of another boot"


def test_its_config_is_strict_and_needs_nothing(driver: type[Any], shape: StationShape) -> None:
    registry.construct(driver, {}, shape, "board")
    with pytest.raises(ConfigError, match=r"board\.no_such_key: unknown key; allowed:"):
        registry.construct(driver, {"no_such_key": 1}, shape, "board")
