"""Dead letters: what was given up after the configured attempts is kept for a month, published, and its number is not given again."""

from __future__ import annotations

from hal.units import Pilot
from station.core.effects import Publish
from station.words.records import DeadLetter
from station.words.settings import Settings
from tests.builders import CoreBench
from tests.unit.core.test_outbox import started, waiting
from tests.unit.core.test_transactions import booted, charging, connected

MINUTE = 60
DAY = 86_400


def given_up(bench: CoreBench | None = None) -> CoreBench:
    bench = started(bench or connected(transaction_attempts=1))
    bench.refuse("FormationViolation")
    return bench


def test_what_is_given_up_is_kept_published_and_shown() -> None:
    bench = given_up()
    [(key, letter)] = bench.disk["dead"].items()
    assert isinstance(letter, DeadLetter) and letter.why == "FormationViolation"
    assert letter.record.fact.session == bench.core.slots[0].session.id
    assert waiting(bench) == []
    [event] = [e for e in bench.effects if isinstance(e, Publish) and e.kind == "dead-letter.v1"]
    assert key.encode() in bytes(event.data) and b"started" in bytes(event.data)
    assert "outbox.dead_letter" in bench.notes()
    assert bench.core.image()["dead"] == bench.disk["dead"]


def test_for_thirty_days_over_restarts() -> None:
    bench = given_up()
    bench.unplug()
    bench.answer_all()
    bench.disconnect()
    bench.wait(20 * DAY)
    later = bench.restart(settings=Settings(aligned_interval_s=0))
    later.wait(9.9 * DAY)
    assert len(later.disk["dead"]) == 1
    later.wait(1.2 * DAY)
    assert later.disk["dead"] == {} and later.core.delivery.dead is None
    assert later.core.connection.outbox.counter > 0


def test_a_number_is_not_given_twice_while_its_letter_is_kept() -> None:
    bench = given_up()
    [key] = bench.disk["dead"]
    later = bench.restart(settings=Settings(transaction_attempts=1), answering=True)
    booted(later)
    later.unplug()
    later.answer_all()
    later.answering = False
    started(later).refuse()
    assert len(later.disk["dead"]) == 2 and key in later.disk["dead"]


def test_the_number_of_an_end_that_was_given_up_is_forgotten() -> None:
    bench = charging(transaction_attempts=1)
    bench.wait(MINUTE)
    bench.answering = False
    bench.tap()
    bench.pilot(Pilot.B)
    bench.refuse()
    assert not bench.disk.get("dialect") and bench.core.connection.transactions == {}
    bench.answer_all()
    assert bench.core.image() == {kind: rows for kind, rows in bench.disk.items() if rows}
