"""Time (world.md, Time; station.md §8): what is stamped when, and whether the station can know better.

Whether the clock is trusted follows from what it was told: the operating system's clock at boot, and the CSMS's answers, held against the
true time. An answer that travelled for so long may be wrong by as much. Not here: intervals and time-outs.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

from hal.units import MILLISECOND, SECOND, MonoNs, UtcMs
from sim.checkers.cards import utc_ms
from sim.checkers.eyes import Promise
from sim.checkers.ledger import Row
from sim.checkers.orderly import transaction_of
from sim.checkers.seen import Call, Payload
from sim.checkers.view import View
from sim.scheduler import START_UTC_MS
from station.words.common import Context
from station.words.facts import MeterTold, TransactionTold
from station.words.records import AliveRecord, EventRecord, OutboxRecord, SessionRecord

WITHIN_MS: Final = 2_000
SLACK_MS: Final = 150
SIGN_MS: Final = 65_000  # between two signs of life, and a little
SHORT_MS: Final = 1_000
DAY_NS: Final[MonoNs] = 86_400 * SECOND
CLAIM_MS: Final = 5_000  # a value that is stamped so shortly after an aligned instant is that instant's


def stamps(call: Call) -> list[str]:
    """The time-stamps of a message, in its order, that of the message itself last."""
    payload = call.payload
    found = [payload["timestamp"]] if isinstance(payload.get("timestamp"), str) else []
    entries = payload.get("meterValue") or payload.get("transactionData") or ()
    return [entry["timestamp"] for entry in entries] + found


class Monotonic(Promise):
    """Time-stamps of one transaction never decrease, from its start over its values to its end, as they are first sent; those that come
    with the end are in order too, between start and end."""

    name = "time of a transaction never runs backwards"

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, str], UtcMs] = {}
        self._first: dict[tuple[str, str], UtcMs] = {}

    def leaves(self, view: View, call: Call, row: Row) -> None:
        if row.call is not None:
            return
        where, told = (view.id, row.transaction), [utc_ms(text) for text in stamps(call)]
        last = self._last.get(where, 0)
        if row.kind == "ended":
            self._order(view, call, [self._first.get(where, 0), *told])
            told = told[-1:]
        self._order(view, call, [last, *told])
        self._first.setdefault(where, told[0])
        self._last[where] = told[-1]
        self.armed += len(told)
        if row.kind == "ended":
            self._first.pop(where, None)
            self._last.pop(where, None)

    def _order(self, view: View, call: Call, told: list[UtcMs]) -> None:
        for before, after in pairwise(told):
            if after < before:
                back_s = (before - after) / 1000
                raise self.fail(
                    view, f"{call.action} {call.id} says a time {back_s:.1f} s earlier than the one before it"
                )


class Trust:
    """What one station can know of the time in this boot. `lied`: whom it has to believe told it a wrong time. `slack_ms`: how wrong it
    may be through no fault of its own; `first_ms`: how wrong when it first knew, and set right what it had stamped before."""

    def __init__(self, known: bool, lied: bool) -> None:
        self.known = known
        self.lied = lied
        self.slack_ms = self.first_ms = 0


class RightTime(Promise):
    """Within two seconds of true time once the clock is trusted: boundaries and values on the wire, events on the disk. What is stamped
    with a past sign of life (the end of a session that a cut ended) only must not be in the future. A transaction of which something
    was stamped while the CSMS told a wrong time, or waited for a time and got that one, is not judged."""

    name = "time-stamps are right once the clock is trusted"

    def __init__(self) -> None:
        super().__init__()
        self._trust: dict[str, Trust] = {}
        # Of a record: the boot in which it was made, whether the time was known then, the slack then, and whether it tells of the past.
        self._made: dict[tuple[str, str], tuple[int, bool, int, bool]] = {}
        self._tainted: set[str] = set()

    def boots(self, view: View) -> None:
        """A clock behind the last sign of life is believed by nobody (station.md §8), and what runs on was told of a false future."""
        error_ms = view.unit.now().os_utc_ms - view.world.true_utc_ms
        right, alive = abs(error_ms) < SLACK_MS, view.image.get("alive", {}).get("")
        if isinstance(alive, AliveRecord) and alive.at.utc_ms > view.world.true_utc_ms:
            self._tainted |= self._resumed(view)
            right = False
        trusted = view.unit.plan.os_trusted
        self._trust[view.id] = Trust(trusted and right, trusted and abs(error_ms) >= SLACK_MS)

    def answered_BootNotification(self, view: View, call: Call, payload: Payload) -> None:
        self._told(view, call, payload["currentTime"])

    def answered_Heartbeat(self, view: View, call: Call, payload: Payload) -> None:
        self._told(view, call, payload["currentTime"])

    def _told(self, view: View, call: Call, text: str) -> None:
        trust = self._trust[view.id]
        travel_ms = (view.now_ns - call.at_ns) // MILLISECOND
        try:
            error_ms = utc_ms(text) - view.world.true_utc_ms
        except ValueError:
            return
        if abs(error_ms) > travel_ms + SLACK_MS:
            if abs(error_ms) > WITHIN_MS - SLACK_MS - trust.slack_ms:
                if not trust.known and not trust.lied:
                    self._tainted |= self._waiting(view)
                trust.known, trust.lied = False, True
        elif travel_ms <= SHORT_MS or not trust.known:
            if not trust.known:
                trust.first_ms = travel_ms
            trust.known, trust.lied, trust.slack_ms = True, False, travel_ms
        else:
            trust.slack_ms = max(trust.slack_ms, travel_ms)

    def put_outbox(self, view: View, key: str, record: OutboxRecord) -> None:
        if key not in view.ledger.rows:
            trust = self._trust[view.id]
            past = self._past(view, record.fact)
            self._made[view.id, key] = (view.boots, trust.known, trust.slack_ms, past)
            if trust.lied and record.fact.session:
                self._tainted.add(record.fact.session)  # its later stamps must not come before this one

    def forgot_outbox(self, view: View, key: str) -> None:
        self._made.pop((view.id, key), None)

    def put_event(self, view: View, key: str, record: EventRecord) -> None:
        trust = self._trust[view.id]
        if trust.known and key not in view.image.get("event", {}):
            self._judge(view, f"event {record.kind}", record.at.utc_ms, view.now_ns, trust.slack_ms)

    def leaves(self, view: View, call: Call, row: Row) -> None:
        trust, made = self._trust[view.id], self._made.get((view.id, row.key))
        if made is None or row.call is not None or row.transaction in self._tainted:
            return
        boot, known, slack_ms, past = made
        if not known and not (trust.known and boot == view.boots):
            return
        at_ms = utc_ms(stamps(call)[-1])
        slack_ms = slack_ms if known else trust.first_ms
        if past:
            at_ms = max(at_ms, START_UTC_MS + row.put_ns // MILLISECOND)
            if not known:  # the end that a cut made is known to a sign of life, and how long the cut lasted is not
                slack_ms += SIGN_MS
        self._judge(view, call.action, at_ms, row.put_ns, slack_ms)

    def _past(self, view: View, fact: TransactionTold | MeterTold) -> bool:
        """It tells of the last sign of life before a cut: the end of what the cut ended, or the beginning of an interruption."""
        if isinstance(fact, TransactionTold) and fact.kind == "ended":
            return fact.session in self._resumed(view)
        return any(sample.context is Context.INTERRUPTION_BEGIN for sample in fact.samples)

    def _waiting(self, view: View) -> set[str]:
        """What was made before the time was known, and gets its time from whoever tells one first."""
        made = ((self._made.get((view.id, key)), row) for key, row in view.ledger.rows.items())
        return {row.transaction for known, row in made if known is not None and not known[1]}

    def _resumed(self, view: View) -> set[str]:
        rows = view.image.get("session", {}).values()
        return {transaction_of(row) for row in rows if isinstance(row, SessionRecord)}

    def _judge(self, view: View, what: str, at_ms: UtcMs, true_ns: MonoNs, slack_ms: int) -> None:
        self.armed += 1
        error_ms = at_ms - (START_UTC_MS + true_ns // MILLISECOND)
        if abs(error_ms) > WITHIN_MS + SLACK_MS + slack_ms:
            raise self.fail(view, f"{what} is stamped {error_ms / 1000:+.1f} s off the true time")


class NoPast(Promise):
    """No time-stamp before 2020 on the wire. Armed with every stamp."""

    name = "nothing before 2020 on the wire"

    def sent_any(self, view: View, call: Call) -> None:
        for text in stamps(call):
            self.armed += 1
            if text < "2020":
                raise self.fail(view, f"{call.action} {call.id} says {text}")


class Aligned(Promise):
    """Clock-aligned values are told once for one instant and slot, whatever the clock does: within a boot, unless the clock was wrong by
    more than a day; over boots, within one interval of true time."""

    name = "clock-aligned values come once"

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[
            tuple[str, int, UtcMs], tuple[int, MonoNs]
        ] = {}  # station, connector, instant: boot, when in truth

    def sent_MeterValues(self, view: View, call: Call) -> None:
        row, interval_ms = view.ledger.row(call.id), view.settings.aligned_interval_s * 1000
        if (row is not None and row.call is not None) or not interval_ms:
            return
        true_ns = row.put_ns if row is not None else view.now_ns
        boot = view.boots if true_ns >= view.booted_ns else 0  # 0: taken before this boot
        for entry in call.payload.get("meterValue", ()):
            if any(value.get("context") == "Sample.Clock" for value in entry["sampledValue"]):
                self._judge(
                    view, call.payload.get("connectorId", 0), utc_ms(entry["timestamp"]), interval_ms, (boot, true_ns)
                )

    def _judge(self, view: View, connector: int, at_ms: UtcMs, interval_ms: int, taken: tuple[int, MonoNs]) -> None:
        if at_ms % interval_ms > CLAIM_MS:
            return
        self.armed += 1
        where = (view.id, connector, at_ms - at_ms % interval_ms)
        boot, before_ns = self._told.get(where, (0, -DAY_NS))
        near_ns = DAY_NS if boot == taken[0] == view.boots else interval_ms * MILLISECOND
        if abs(taken[1] - before_ns) < near_ns - SECOND:
            raise self.fail(view, f"connector {connector}: two clock-aligned values for the same instant")
        self._told[where] = taken
        if len(self._told) > 1000:
            self._told = dict(list(self._told.items())[-500:])


TIME: Final[tuple[Any, ...]] = (NoPast, Monotonic, RightTime, Aligned)
