"""Several cards and several cars at a time: who gets which slot (station.md §5)."""

from __future__ import annotations

from typing import Any

from tests.builders import CARD, CoreBench

OTHER = "04CCCC01"
ONE_SLOT = "tethered-11kw"


def online(template: str = "two-sockets-22kw") -> CoreBench:
    bench = CoreBench(template)
    bench.connect()
    return bench


def info(status: str = "Accepted") -> dict[str, Any]:
    return {"idTagInfo": {"status": status}}


def tap(bench: CoreBench, card: str, answer: dict[str, Any] | None = None) -> None:
    """A card, once the repeat guard has passed; an Authorize is answered if an answer is given."""
    bench.wait(3)
    bench.tap(card)
    if answer is not None:
        bench.answer_all(Authorize=answer)


def test_two_cards_are_asked_about_at_once() -> None:
    bench = online()
    bench.plug()
    bench.answer_all()
    bench.tap(CARD)
    bench.tap(OTHER)
    bench.answer("Authorize", info())
    bench.answer_all(Authorize=info())
    assert bench.core.slots[0].session.token.uid == CARD
    assert [p.token.uid for p in bench.core.authorization.pending] == [OTHER]


def test_the_second_of_two_cards_finds_no_slot() -> None:
    bench = online(ONE_SLOT)
    bench.tap(CARD)
    bench.tap(OTHER)
    bench.answer_all(Authorize=info())
    assert [p.token.uid for p in bench.core.authorization.pending] == [CARD]
    assert "authorization.refused" in bench.notes()


def test_a_card_that_is_being_asked_about_is_not_asked_about_twice() -> None:
    bench = online()
    tap(bench, CARD)
    tap(bench, CARD)
    bench.answer_all(Authorize=info())
    assert len(bench.actions("Authorize")) == 1
    assert len(bench.core.authorization.pending) == 1


def test_no_more_cards_are_asked_about_than_anyone_can_mean() -> None:
    bench = online()
    for number in range(40):
        bench.tap(f"{number:08X}")
    assert len(bench.core.authorization.attempts) == 16


def test_the_slot_is_chosen_when_the_answer_comes() -> None:
    """The car that waited has gone, another has come."""
    bench = online()
    bench.plug(1)
    bench.answer_all()
    tap(bench, CARD)
    bench.unplug(1)
    bench.plug(2)
    bench.answer_all(Authorize=info())
    assert bench.core.slots[0].session is None
    assert bench.core.slots[1].session.token.uid == CARD


def test_who_plugs_first_takes_the_authorisation() -> None:
    """A card was shown, and somebody else's car is plugged in: the station cannot tell, and serves the plug."""
    bench = online()
    tap(bench, CARD, info())
    bench.plug(2)
    assert bench.core.slots[1].session.token.uid == CARD
    bench.plug(1)
    bench.answer_all()
    assert bench.core.slots[0].session is None and bench.core.authorization.pending == ()


def test_an_authorisation_waits_until_the_slot_can_be_used() -> None:
    """Plugged in while the slot is out of operation: it starts when it is back, if still wanted."""
    bench = online(ONE_SLOT)
    tap(bench, CARD, info())
    bench.call("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"})
    bench.plug()
    bench.answer_all()
    assert not bench.actions("StartTransaction")
    bench.call("ChangeAvailability", {"connectorId": 1, "type": "Operative"})
    bench.answer_all()
    assert bench.actions("StartTransaction")[0]["idTag"] == CARD
