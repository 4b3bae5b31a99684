"""Which slot a tap means: station.md §5 as one table, and the repeat guard.

Four cards: the one whose session or authorisation it is, one of its group, one of another group, and one of its group that is blocked.
"""

from __future__ import annotations

import itertools
from typing import Any, Final

import msgspec
import pytest

from station.core.effects import Note
from station.words.settings import TEMPLATES, Settings
from tests.builders import CoreBench

SAME, GROUP, OTHER, BLOCKED = CARDS = ("AAAA0001", "AAAA0002", "BBBB0001", "AAAA0003")
VISITOR = "CCCC0001"
ANSWERS: Final[dict[str, dict[str, Any]]] = {
    SAME: {"status": "Accepted", "parentIdTag": "A"},
    GROUP: {"status": "Accepted", "parentIdTag": "A"},
    OTHER: {"status": "Accepted", "parentIdTag": "B"},
    BLOCKED: {"status": "Blocked", "parentIdTag": "A"},
    VISITOR: {"status": "Accepted"},
}
NONE, PENDING, ONE, BOTH = STATES = ("none", "pending", "charging on one", "on both")

# (slots plugged, state) -> for each of CARDS: was the CSMS asked, and what came of the tap. Slot 1 was plugged and charged first.
TABLE: Final[dict[tuple[int, str], tuple[str, str, str, str]]] = {
    (0, NONE): ("asked, kept", "asked, kept", "asked, kept", "asked, blocked"),
    (0, PENDING): ("taken back", "asked, kept", "asked, kept", "asked, blocked"),
    (1, NONE): ("asked, start 1", "asked, start 1", "asked, start 1", "asked, blocked"),
    (1, PENDING): (
        "taken back",
        "no slot",
        "no slot",
        "no slot",
    ),  # on slot 1 a car whose session is over, slot 2 is promised
    (1, ONE): ("stop 1", "asked, stop 1", "asked, kept", "asked, blocked"),
    (2, NONE): ("asked, start 2", "asked, start 2", "asked, start 2", "asked, blocked"),
    (2, ONE): ("stop 1", "asked, stop 1", "asked, start 2", "asked, blocked"),
    (2, BOTH): ("stop 1", "asked, stop 1", "asked, no slot", "asked, blocked"),
}
IMPOSSIBLE: Final = {
    (0, ONE): "without a plug nothing charges",
    (0, BOTH): "without a plug nothing charges",
    (1, BOTH): "with one plug one slot charges",
    (2, PENDING): "what is pending takes the plug, and is refused when both slots are taken",
}
CASES: Final = [(*key, card, row[i]) for key, row in TABLE.items() for i, card in enumerate(CARDS)]


def tap(bench: CoreBench, card: str) -> None:
    bench.wait(3)
    bench.tap(card)
    bench.answer_all(Authorize={"idTagInfo": ANSWERS[card]})


def station(plugged: int, state: str, **options: Any) -> CoreBench:
    """A station of two slots in that state; the state is SAME's doing."""
    bench = CoreBench(**options)
    bench.connect()
    if state == PENDING and plugged:
        bench.plug(1)
        tap(bench, VISITOR)
        tap(bench, VISITOR)
        assert bench.core.slots[0].finished
    if state == PENDING:
        tap(bench, SAME)
    for slot in range(1, plugged + 1):
        bench.wait(1)
        if state != PENDING:
            bench.plug(slot)
        if state == BOTH or (state == ONE and slot == 1):
            bench.call("RemoteStartTransaction", {"connectorId": slot, "idTag": SAME})
            bench.answer_all(StartTransaction={"transactionId": slot, "idTagInfo": ANSWERS[SAME]})
    bench.wait(3)
    bench.answer_all()
    return bench


def outcome(bench: CoreBench, card: str) -> str:
    """Tap, and tell what came of it."""
    pending, ending = bench.core.authorization.pending, [s.id for s in bench.core.slots if s.session]
    calls, effects = len(bench.calls), len(bench.effects)
    tap(bench, card)
    asked = "asked, " if any(call[2] == "Authorize" for call in bench.calls[calls:]) else ""
    refused = [
        e.values[0] for e in bench.effects[effects:] if isinstance(e, Note) and e.code == "authorization.refused"
    ]
    stops = [call[3] for call in bench.calls[calls:] if call[2] == "StopTransaction"]
    if refused:
        return asked + {"no slot is free": "no slot", "blocked": "blocked"}[str(refused[0])]
    if stops:
        [stop] = stops
        assert stop["idTag"] == card
        return f"{asked}stop {stop['transactionId']}"
    for slot in bench.core.slots:
        if slot.session is not None and slot.id not in ending:
            assert slot.session.token.uid == card
            return f"{asked}start {slot.id}"
    now = bench.core.authorization.pending
    assert len(now) != len(pending)
    return asked + ("kept" if len(now) > len(pending) else "taken back")


@pytest.mark.parametrize(("plugged", "state", "card", "expected"), CASES)
def test_the_table(plugged: int, state: str, card: str, expected: str) -> None:
    assert outcome(station(plugged, state), card) == expected


def test_the_table_is_whole() -> None:
    assert TABLE.keys() | IMPOSSIBLE.keys() == set(itertools.product((0, 1, 2), STATES))
    assert not TABLE.keys() & IMPOSSIBLE.keys()


# --- beyond the table ---


def test_of_several_sessions_the_oldest_ends() -> None:
    bench = station(2, NONE)
    for slot in (2, 1):
        bench.call("RemoteStartTransaction", {"connectorId": slot, "idTag": SAME})
        bench.wait(5)
        bench.answer_all(StartTransaction={"transactionId": slot, "idTagInfo": ANSWERS[SAME]})
    assert outcome(bench, SAME) == "stop 2"
    assert outcome(bench, SAME) == "stop 1"


def test_a_car_that_had_its_session_is_for_its_owner_while_another_slot_is_free() -> None:
    """F2 for whoever stopped it or is of the group; a stranger means the free slot."""
    for card, expected in ((SAME, "asked, start 1"), (OTHER, "asked, kept")):
        bench = station(1, ONE)
        assert outcome(bench, SAME) == "stop 1"
        assert outcome(bench, card) == expected


def test_a_car_that_had_its_session_may_be_started_by_another_card_where_no_slot_is_free() -> None:
    """As with a station of one slot: people have more than one card."""
    bench = CoreBench("tethered-11kw")
    bench.connect()
    bench.charging(1, SAME)
    tap(bench, SAME)
    bench.wait(5)
    bench.answer_all()
    assert outcome(bench, OTHER) == "asked, start 1"


def test_a_finished_car_does_not_take_the_authorisation_of_the_next() -> None:
    bench = station(1, ONE)
    assert outcome(bench, SAME) == "stop 1"
    assert outcome(bench, OTHER) == "asked, kept"
    bench.wait(5)
    assert bench.core.slots[0].session is None
    bench.plug(2)
    assert bench.core.slots[1].session.token.uid == OTHER


def test_one_remote_started_for_a_slot_goes_before_the_oldest() -> None:
    bench = station(0, PENDING)
    bench.call("RemoteStartTransaction", {"connectorId": 2, "idTag": OTHER})
    bench.plug(2)
    assert bench.core.slots[1].session.token.uid == OTHER
    bench.plug(1)
    assert bench.core.slots[0].session.token.uid == SAME


def test_a_reader_serves_its_slots() -> None:
    """Reader 1 slot 1, reader 2 slot 2, a third reader all."""
    from hal.signals import CardPresented

    shape = msgspec.structs.replace(TEMPLATES["two-sockets-22kw"], readers=((1,), (2,)))
    bench = station(2, NONE, shape=shape)
    bench.give(CardPresented(OTHER, 1))
    bench.answer_all(Authorize={"idTagInfo": ANSWERS[OTHER]})
    assert bench.core.slots[0].session.token.uid == OTHER, "though slot 2 was plugged last"
    bench.wait(3)
    bench.give(CardPresented(OTHER, 2))
    assert bench.core.slots[0].session.ending is None, "the session is none of reader 2's slots"
    bench.answer_all(Authorize={"idTagInfo": ANSWERS[OTHER]})
    assert bench.core.slots[1].session.token.uid == OTHER
    bench.wait(3)
    bench.give(CardPresented(OTHER, 3))
    bench.answer_all()
    assert bench.core.slots[0].session is None


# --- the repeat guard ---


@pytest.mark.parametrize(("after_s", "taken"), [(1.9, False), (2.1, True)])
def test_the_same_card_too_soon_is_no_tap(after_s: float, taken: bool) -> None:
    bench = station(0, PENDING)
    bench.tap(GROUP)
    bench.wait(after_s)
    bench.tap(GROUP.lower())
    assert bench.events().count("card-scanned.v1") == (3 if taken else 2)


def test_a_card_that_stays_is_read_again_once_the_guard_is_over() -> None:
    """It counts from the last read that was taken, not from the last that was ignored."""
    bench = station(0, NONE)
    for _ in range(11):
        bench.tap(SAME)
        bench.wait(0.5)
    assert bench.events().count("card-scanned.v1") == 3


def test_another_card_in_between_does_not_lift_the_guard() -> None:
    bench = station(0, NONE)
    for card in (SAME, OTHER, SAME, OTHER):
        bench.tap(card)
        bench.wait(0.3)
    assert bench.events().count("card-scanned.v1") == 2


def test_the_guard_can_be_switched_off() -> None:
    bench = station(0, NONE, settings=Settings(repeat_guard_ms=0))
    bench.tap(SAME)
    bench.tap(SAME)
    assert bench.events().count("card-scanned.v1") == 2
