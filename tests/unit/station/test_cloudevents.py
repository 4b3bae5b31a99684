"""CloudEvents: every event that two stations publish on a bad day is valid by its own schema, and ids stay what they are."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import jsonschema
import msgspec
import pytest

from hal.signals import BoardFault, BoardReady
from hal.units import Cause
from sim import plan
from sim.world import World
from station.adapters.cloudevents import PREFIX, SEED_FAULTED, CloudEvent, decode, envelope, kind_of, schema, source
from station.core.boot import BootInfo
from station.core.effects import Delivered, Effect, Input, Publish
from station.shell.runner import Unit
from station.words.common import ChargingState, Stamp, Why
from station.words.events import KIND_OF, KINDS, EventData
from station.words.facts import TransactionTold
from station.words.records import DeadLetter, OutboxRecord
from station.words.settings import Settings
from tests.builders import CARD, CoreBench
from tools.make_events import main as make_events

OTHER = "04D4E5F6"


@cache
def validator(kind: str) -> Any:
    return jsonschema.Draft202012Validator(schema(kind), format_checker=jsonschema.FormatChecker())


def check(event: Publish, station: str = "CP1") -> CloudEvent:
    """Valid by its schema, and nothing in it that the schema does not know."""
    line = envelope(station, event)
    validator(event.kind).validate(json.loads(line))
    told = decode(line)
    known = schema(event.kind)["properties"]["data"]["properties"]
    assert told.data.keys() <= known.keys()
    assert (told.id, told.type, told.subject) == (event.id, PREFIX + event.kind, event.subject)
    assert told.data["stationId"] == told.station == station
    return told


# --- all that is published --------------------------------------------------------------------------------------------


class Listening(World):
    """A world that writes down whose every event is."""

    told: list[tuple[str, Publish]]

    def _stepped(self, unit: Unit, item: Input | None, effects: list[Effect]) -> None:
        super()._stepped(unit, item, effects)
        self.told = getattr(self, "told", [])
        self.told += [(unit.id, effect) for effect in effects if isinstance(effect, Publish)]


def bad_day() -> Listening:
    """Two stations, people, and everything that breaks by itself."""
    people: tuple[plan.AnyAction, ...] = (
        plan.Plug(at_s=10, slot=1, car="zoe-r110", soc_percent=99),
        plan.Tap(at_s=15, card=CARD),
        plan.Plug(at_s=20, slot=2, car="model-3-lr", station=1),
        plan.Tap(at_s=25, card=OTHER, station=1),
        plan.PressStop(at_s=2000, station=1),
        plan.ReleaseStop(at_s=2100, station=1),
        plan.Acknowledge(at_s=2110, station=1),
        plan.DriveOff(at_s=2200, slot=2, station=1),
        plan.Tap(at_s=4000, card=CARD),
        plan.Unplug(at_s=4030, slot=1),
    )
    broken: tuple[plan.AnyFault, ...] = (
        plan.ReaderFault(at_s=100, for_s=50),
        plan.BoardFault(at_s=300, for_s=20, cause="ground_fault", slot=2, station=1),
        plan.PilotFault(at_s=400, for_s=5, slot=2, how="E", station=1),
        plan.NetworkFault(at_s=600, for_s=60),
        plan.PowerCut(at_s=900, for_s=5, station=1),
        plan.MeterFault(at_s=3000, for_s=200, slot=1, how="silent"),
    )
    shape = plan.Shape(stations=("two-sockets-22kw", "two-sockets-22kw"))
    settings = Settings(full_min_wh=10, full_after_s=60)
    world = Listening(
        7, plan.Plan(for_s=4500, shape=shape, actions=people, faults=broken), settings=settings, keep=False
    )
    world.play()
    assert not world.trace.bugs
    return world


@pytest.fixture(scope="module")
def told() -> list[tuple[str, Publish]]:
    return bad_day().told


def test_every_published_event_is_valid(told: list[tuple[str, Publish]]) -> None:
    kinds = {check(event, station).kind for station, event in told}
    rare = {"register-break", "dead-letter"}  # below
    assert kinds >= {kind_of(kind) for kind in KINDS} - rare


def test_ids_are_one_event_each_over_restarts_and_redelivery(told: list[tuple[str, Publish]]) -> None:
    """The same id is the same event to the byte, and no two events share one."""
    by_id: dict[tuple[str, str], bytes] = {}
    for station, event in told:
        line = envelope(station, event)
        assert by_id.setdefault((station, event.id), line) == line
    assert len(by_id) > 30


def test_per_slot_the_order_of_events_is_the_order_of_facts(told: list[tuple[str, Publish]]) -> None:
    """Times never go back for a slot, and a session begins before it is full and ends after."""
    first: dict[tuple[str, str], Publish] = {(station, event.id): event for station, event in reversed(told)}
    order = sorted(first.items(), key=lambda item: told.index((item[0][0], item[1])))
    at: dict[tuple[str, str], int] = {}
    for (station, _), event in order:
        assert event.at.utc_ms >= at.get((station, event.subject), 0)
        at[station, event.subject] = event.at.utc_ms
    mine = [decode(envelope(s, e)) for (s, _), e in order if s == "CP1" and e.subject == "slot/1"]
    kinds = [event.kind for event in mine if event.kind not in ("status-changed", "faulted", "fault-cleared")]
    assert kinds == ["session-started", "vehicle-full", "session-ended", "vehicle-removed"]


def test_the_schema_finds_what_is_wrong(told: list[tuple[str, Publish]]) -> None:
    station, event = next((s, e) for s, e in told if e.kind == "session-ended.v1")
    good = json.loads(envelope(station, event))
    for change in (
        {"specversion": "0.3"},
        {"id": ""},
        {"source": "CP1"},
        {"time": "yesterday"},
        {"subject": "slot/0"},
        {"Bad-Name": 1},
        {"data": {**good["data"], "energyWh": "1"}},
        {"data": {**good["data"], "reason": "boredom"}},
        {"data": {key: value for key, value in good["data"].items() if key != "stationId"}},
        {"data": {**good["data"], "session": {"id": "x"}}},
    ):
        assert not validator(event.kind).is_valid({**good, **change}), change
    assert validator(event.kind).is_valid({**good, "data": {**good["data"], "later": "v1 may grow"}})


# --- one by one -------------------------------------------------------------------------------------------------------


def events(bench: CoreBench, kind: str) -> list[CloudEvent]:
    return [check(e) for e in bench.effects if isinstance(e, Publish) and e.kind == f"{kind}.v1"]


def test_what_a_workflow_needs_of_a_card() -> None:
    """Id, card twice, type in the data; and the session that a stop tap would end, with OCPP's number."""
    bench = CoreBench()
    bench.connect()
    bench.charging()
    bench.wait(5)
    bench.tap()
    begin, end = events(bench, "card-scanned")
    kind = f"{PREFIX}card-scanned.v1"
    assert begin.data == {
        "type": kind, "stationId": "CP1", "card": CARD, "cardId": CARD, "reader": 1, "event": {"type": kind}
    }  # fmt: skip
    session = bench.core.slots[0].session
    assert end.data["session"] == {"id": session.id, "card": CARD, "slotNumber": 1}
    assert end.data["transactionId"] == 1
    assert begin.source == "urn:evse:CP1" and begin.subject == "reader/1" and begin.specversion == "1.0"


def test_what_a_workflow_needs_of_a_fault() -> None:
    """The seed's spelling in data.type, the error where its support call reads it, the session that it hits."""
    bench = CoreBench()
    bench.connect()
    bench.charging()
    bench.give(BoardFault(1, Cause.GROUND_FAULT, True, "RCD-7"))
    (event,) = events(bench, "faulted")
    error = {
        "code": "GroundFailure", "info": "ground fault: RCD-7", "slotNumber": 1, "vendorErrorCode": "RCD-7"
    }  # fmt: skip
    assert event.type == f"{PREFIX}faulted.v1" and event.data["type"] == SEED_FAULTED
    assert event.data["error"] == event.data["event"]["data"]["error"] == error
    assert event.data["event"]["type"] == event.type
    assert event.data["session"]["card"] == CARD
    bench.give(BoardFault(1, Cause.GROUND_FAULT, False))
    bench.wait(120)
    (cleared,) = events(bench, "fault-cleared")
    assert cleared.data["faultId"] == event.data["faultId"]
    published = next(e for e in bench.effects if isinstance(e, Publish) and e.kind == "faulted.v1")
    strict = decode(envelope("CP1", published, "strict"))
    assert strict.data["type"] == strict.type == event.type
    assert validator("faulted.v1").is_valid(json.loads(envelope("CP1", published, "strict")))


def test_a_session_ended_has_the_numbers() -> None:
    bench = CoreBench()
    bench.connect()
    bench.charging()
    bench.wait(60)
    bench.tap()
    bench.answer_all()
    bench.wait(10)
    (event,) = events(bench, "session-ended")
    stop = bench.actions("StopTransaction")[0]
    assert event.data["registerWh"] == stop["meterStop"] and event.data["energyWh"] == stop["meterStop"]
    assert event.data["transactionId"] == stop["transactionId"]
    assert event.data["reason"] == "local" and not event.data["estimated"]
    assert 60 <= event.data["durationS"] <= 75


def test_where_the_csms_numbers_nothing_the_transaction_id_is_ours() -> None:
    """As in 2.x, whose policy it is to tell updates; in 1.6 there is none until StartTransaction is answered."""
    for ours in (True, False):
        bench = CoreBench(settings=Settings(allow_offline_unknown=True))
        bench.core.policies = msgspec.structs.replace(bench.core.policies, tells_updates=ours)
        bench.plug()
        bench.wait(3)
        bench.tap()
        bench.wait(1)
        tx = bench.core.slots[0].tx
        assert tx is not None
        (event,) = events(bench, "session-started")
        assert event.data.get("transactionId") == (tx.id if ours else None)


def test_the_rare_ones() -> None:
    bench = CoreBench()
    told = TransactionTold("ended", "s-1", 1, 1, Why.STOP_AUTHORIZED, Stamp(0), ChargingState.CONNECTED)
    bench.core.events.dead_letter("000000000001", DeadLetter(OutboxRecord("m-1", told, "1.6"), "no answer", Stamp(0)))
    bench.core.events.register_break(1, 5_000_000, 2_000_000)
    bench.wait(1)
    bench.tap()
    assert events(bench, "dead-letter")[0].data["messageId"] == "m-1"
    assert events(bench, "register-break")[0].data["afterWh"] == 2000


def test_no_event_is_told_before_it_is_on_the_disk() -> None:
    bench = CoreBench(store="silent")
    bench.tap()
    assert events(bench, "card-scanned") == []
    bench.wait(6)  # a disk that does not answer must not silence the station for ever
    assert len(events(bench, "card-scanned")) == 1


def test_what_no_sink_confirmed_comes_again_with_the_same_id() -> None:
    bench = CoreBench()
    bench.tap()
    (first,) = cards(bench)
    later = bench.restart()
    (again,) = cards(later)
    assert envelope("CP1", again) == envelope("CP1", first)
    later.give(Delivered(again.number))
    assert not cards(later.restart(boot=BootInfo("os-3", True, "third")))


def cards(bench: CoreBench) -> list[Publish]:
    return [e for e in bench.effects if isinstance(e, Publish) and e.kind == "card-scanned.v1"]


def test_each_boot_tells_the_status_of_every_slot() -> None:
    """A car that has gone while the power was off is charging for ever to whoever only hears of changes."""
    bench = CoreBench()
    bench.connect()
    bench.charging()
    later = bench.restart(boot=BootInfo("os-2", True, "n"))
    later.give(BoardReady())
    told = [e.data for e in events(later, "status-changed") if e.id.startswith("n-")]
    assert [(data["slotNumber"], data["status"]) for data in told] == [(1, "available"), (2, "available")]


def test_ids_do_not_come_twice_when_the_disk_is_lost() -> None:
    ids = []
    for nonce in ("one", "two"):
        bench = CoreBench(boot=BootInfo("os", True, nonce))
        bench.tap()
        ids += [event.id for event in events(bench, "card-scanned")]
    assert len(set(ids)) == 2


def test_a_time_that_is_a_guess_says_so() -> None:
    event = Publish(
        1, "n-e1", "card-scanned.v1", "reader/1", Stamp(1, 3, 1), msgspec.Raw(b'{"card":"A","cardId":"A","reader":1}')
    )
    told = check(event)
    assert told.timeuncertain and told.time == "1970-01-01T00:00:00.001Z"
    certain = msgspec.structs.replace(event, at=Stamp(1_780_272_000_123))
    assert b"timeuncertain" not in envelope("CP1", certain)
    assert check(certain).time == "2026-06-01T00:00:00.123Z"


@pytest.mark.parametrize(
    ("station", "urn"), [("CP1", "urn:evse:CP1"), ("a b/ü", "urn:evse:a%20b%2F%C3%BC"), ("x:1", "urn:evse:x:1")]
)
def test_a_source_is_a_urn_whatever_the_identity(station: str, urn: str) -> None:
    assert source(station) == urn
    assert re.fullmatch(r"urn:evse:[A-Za-z0-9()+,\-.:=@;$_!*'%]+", urn)


@pytest.mark.parametrize("name", ["session-ended", "session-ended.v1", f"{PREFIX}session-ended.v1"])
def test_kinds_by_any_name(name: str) -> None:
    assert kind_of(name) == "session-ended"


def test_a_kind_that_is_not_there() -> None:
    with pytest.raises(ValueError, match=r"session_ended.*card-scanned"):
        kind_of("session_ended")


def test_the_schemas_in_the_documentation_are_up_to_date() -> None:
    assert make_events(["--check"]) == 0


def test_every_kind_of_data_has_a_name() -> None:
    """A struct that the core may publish and that no kind names would be found too late."""
    leaves = {one for one in _below(EventData) if not _below(one)}
    assert leaves == set(KIND_OF)


def _below(kind: type[EventData]) -> set[type[EventData]]:
    return {one for sub in kind.__subclasses__() for one in ({sub} | _below(sub))}
