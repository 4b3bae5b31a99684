"""The outbox at its bound: what goes and what stays, what happens when nothing can go, and what a long queue costs (station.md §9)."""

from __future__ import annotations

import time

import msgspec
import pytest

from hal.units import Reading
from ocpp_client.link import LinkUp
from ocpp_client.outbox import BOUND, BOUND_BYTES, PASSING, Outbox, Queued, weight
from station.core.effects import Publish
from station.words.common import (
    BootReason,
    ChargingState,
    Context,
    Measurand,
    Sample,
    SlotStatus,
    Stamp,
    StopReason,
    Token,
    Why,
)
from station.words.facts import StatusChanged, TransactionTold
from station.words.questions import AskTime, Authorize, Register
from station.words.records import OutboxRecord
from station.words.settings import StationShape
from tests.builders import CoreBench
from tests.unit.core.test_transactions import reconnect

ALL = StationShape().measurands


def told(kind: str, session: str = "s", samples: int = 0, what: tuple[Measurand, ...] = ALL) -> TransactionTold:
    reading = Reading(123_456_789, (16_000,) * 3, (230_000,) * 3, (3_680_000,) * 3, 50_000, 31_000)
    sample = Sample(Stamp(1_780_272_000_000), Context.PERIODIC, reading, what, 16_000)
    return TransactionTold(
        kind,  # type: ignore[arg-type]
        session,
        1,
        0,
        Why.METER_PERIODIC,
        Stamp(1_780_272_000_000),
        ChargingState.CHARGING,
        token=Token("04A1B2C3") if kind == "started" else None,
        register_mwh=1 if kind != "updated" else None,
        samples=(sample,) * samples,
        stop=StopReason.LOCAL if kind == "ended" else None,
    )


def fill(
    outbox: Outbox, session: str, values: int, *, ended: bool = True, what: tuple[Measurand, ...] = ()
) -> list[Queued]:
    """A transaction with so many values; returns them."""
    outbox.put(told("started", session), "m")
    value = told("updated", session, 1, what or (Measurand.ENERGY_IMPORT,))
    queued = [outbox.put(value, "m") for _ in range(values)]
    if ended:
        outbox.put(told("ended", session), "m")
    return queued


# --- what goes ---


def test_of_the_oldest_transactions_every_second_value_goes_and_nothing_else() -> None:
    outbox = Outbox()
    first, second = fill(outbox, "a", 60_001), fill(outbox, "b", 40_000, ended=False)
    assert outbox.over
    gone = outbox.thin()
    assert gone == first[1:-1:2]
    assert outbox.waiting < BOUND and outbox.waiting == 60_001 + 40_000 + 3 - len(gone)
    left = {id(queued) for queued in outbox.records}
    assert id(first[0]) in left and id(first[-1]) in left and all(id(queued) in left for queued in second)
    kinds = [q.told.kind for q in outbox.records if isinstance(q.told, TransactionTold) and q.told.kind != "updated"]
    assert kinds == ["started", "ended", "started"]


def test_round_and_round_until_there_is_room() -> None:
    outbox = Outbox()
    for number in range(50):
        fill(outbox, f"s{number}", 10, ended=number < 49)
    fill(outbox, "long", BOUND, ended=False)
    small = [
        queued for queued in outbox.records if isinstance(queued.told, TransactionTold) and queued.told.session == "s0"
    ]
    outbox.thin()
    assert outbox.waiting < BOUND
    left = [
        queued for queued in outbox.records if isinstance(queued.told, TransactionTold) and queued.told.session == "s0"
    ]
    assert left[0] is small[0] and left[-1] is small[-1]  # start and end
    assert left[1] is small[1] and left[-2] is small[-2]  # first and last value
    assert [queued.number for queued in outbox.records] == sorted(queued.number for queued in outbox.records)


def test_thinning_frees_enough_for_a_while() -> None:
    outbox = Outbox()
    fill(outbox, "a", BOUND, ended=False)
    outbox.thin()
    assert outbox.waiting < BOUND * 15 // 16 + 2


def test_the_record_that_may_be_out_stays() -> None:
    outbox = Outbox()
    queued = fill(outbox, "a", BOUND + 10, ended=False)
    outbox.done(outbox.records[0])  # the start
    assert outbox.next(0, True) is queued[0]
    assert queued[0] not in outbox.thin()


def test_the_bound_in_bytes_counts_what_the_disk_will_hold() -> None:
    for samples, what in ((0, ()), (1, (Measurand.ENERGY_IMPORT,)), (1, ALL), (250, ALL)):
        fact = told("ended" if samples == 250 else "updated", "6ba7b810-9dad-41d1-80b4-00c04fd430c8", samples, what)
        real = len(msgspec.json.encode(OutboxRecord("12345678-1234567", fact, "1.6")))
        assert 0.8 * real < weight(fact) < 1.3 * real
    outbox = Outbox()
    while not outbox.over:
        outbox.put(told("ended", f"s{outbox.counter}", 250), "m")
    assert 500 < outbox.waiting < BOUND_BYTES // 100_000
    for queued in outbox.records:
        outbox.done(queued)
        assert outbox.size < BOUND_BYTES
    assert outbox.size == 0


# --- when nothing can go ---


def boundaries(count: int) -> dict[str, dict[str, OutboxRecord]]:
    record = OutboxRecord("m", told("started"), "1.6")
    return {"outbox": {f"{number:012d}": record for number in range(1, count + 1)}}


def test_with_boundaries_only_no_session_starts_and_the_operator_is_told() -> None:
    bench = CoreBench(image=boundaries(BOUND + 2), answering=True)
    assert "outbox.full" in bench.notes()
    [warning] = [e for e in bench.effects if isinstance(e, Publish) and e.kind == "warning.v1"]
    assert b"InternalError" in bytes(warning.data) and b"CSMS" in bytes(warning.data)
    bench.plug()
    bench.tap()
    bench.wait(3)
    assert bench.core.slots[0].session is None
    assert bench.core.connection.outbox.waiting == BOUND + 2
    bench.wait(60)  # the disk works, and that alone does not help
    bench.wait(3)
    bench.tap()
    assert bench.core.slots[0].session is None


def test_until_there_is_room_again() -> None:
    bench = CoreBench(image=boundaries(BOUND + 2), answering=True)
    bench.give(LinkUp("ocpp1.6"))
    bench.answer("BootNotification", {"status": "Accepted", "currentTime": bench.iso(), "interval": 300})
    while bench.core.connection.outbox.over:
        assert bench.core.delivery.full
        assert bench.open_call is not None
        bench.answer(bench.open_call[2], {"transactionId": 1} if bench.open_call[2] == "StartTransaction" else {})
    assert not bench.core.delivery.full
    assert any(isinstance(e, Publish) and e.kind == "warning-cleared.v1" for e in bench.effects)
    assert not bench.core.faults.station


def test_the_disk_forgets_what_was_thinned() -> None:
    value = OutboxRecord("m", told("updated", "a", 1, (Measurand.ENERGY_IMPORT,)), "1.6")
    image = boundaries(1)
    image["outbox"].update({f"{number:012d}": value for number in range(2, BOUND + 10)})
    bench = CoreBench(image=image)
    assert "outbox.thinned" in bench.notes() and "outbox.full" not in bench.notes()
    assert len(bench.disk["outbox"]) == bench.core.connection.outbox.waiting < BOUND


# --- what it costs ---


def drained(backlog: int, count: int) -> float:
    """Seconds of CPU to tell `count` records with so many behind them, a new one coming for each."""
    outbox, value = Outbox(), told("updated", "a", 1)
    for _ in range(backlog):
        outbox.put(value, "m")
    outbox.online()
    started = time.process_time()
    for _ in range(count):
        outbox.put(value, "m")
        head = outbox.next(0, True)
        assert head is not None
        outbox.done(head)
    return time.process_time() - started


def test_a_message_costs_the_same_however_many_wait() -> None:
    assert min(drained(90_000, 5_000) for _ in range(3)) < 3 * min(drained(10, 5_000) for _ in range(3)) + 0.005


def test_a_lost_link_costs_the_same_however_many_wait() -> None:
    def lost(backlog: int) -> float:
        outbox = Outbox()
        fill(outbox, "a", backlog)
        started = time.process_time()
        for _ in range(1_000):
            outbox.offline()
        return time.process_time() - started

    assert min(lost(90_000) for _ in range(3)) < 3 * min(lost(10) for _ in range(3)) + 0.005


# --- lanes ---


@pytest.mark.parametrize("backlog", [False, True])
def test_order_of_sending(backlog: bool) -> None:
    outbox = Outbox()
    heartbeat = outbox.put(AskTime(), "1")
    status = outbox.put(StatusChanged(1, SlotStatus.CHARGING, Stamp(0)), "2")
    record = outbox.put(told("started"), "3")
    card = outbox.put(Authorize(Token("04A1B2C3")), "4")
    boot = outbox.put(Register(BootReason.POWER_UP), "5")
    if backlog:
        outbox.online()
    order = []
    while (queued := outbox.next(0, True)) is not None:
        order.append(queued)
        outbox.done(queued)
    assert order == ([boot, card, status, heartbeat, record] if backlog else [boot, card, record, status, heartbeat])
    assert len(outbox) == 0


def test_status_waits_for_the_disk_with_a_fresh_record_but_not_for_its_next_try() -> None:
    outbox = Outbox()
    record = outbox.put(told("ended"), "1")
    status = outbox.put(StatusChanged(1, SlotStatus.FINISHING, Stamp(0)), "2")
    record.stored = False
    assert outbox.next(0, True) is None
    record.stored = True
    assert outbox.next(0, True) is record
    outbox.failed(record, 0, 3, 60, None)
    assert outbox.next(0, True) is status
    assert outbox.retry_at == 60_000_000_000


def test_what_nobody_takes_does_not_pile_up() -> None:
    outbox = Outbox()
    first = outbox.put(AskTime(), "out")
    for number in range(3 * PASSING):
        last = outbox.put(AskTime(), str(number))
    assert len(outbox) == PASSING
    assert outbox.next(0, True) is first
    outbox.done(first)
    for _ in range(PASSING - 2):
        head = outbox.next(0, True)
        assert head is not None
        outbox.done(head)
    assert outbox.next(0, True) is last


def test_a_reconnect_in_the_middle_of_a_backlog() -> None:
    bench = CoreBench(image=boundaries(30), answering=True)
    bench.connect()
    bench.disconnect()
    reconnect(bench)
    assert bench.core.connection.outbox.waiting == 0
