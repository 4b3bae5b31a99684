"""Sessions, and the transactions cut out of them: what is told to the CSMS of each, and what its answers mean.

One block computes the cut for every version, from the start and stop points in the policies (1.6 §§3.7, 4.8, 4.10; 2.0.1 block E).
Usually the two live and die together. Where a transaction outlives its session it keeps that session's register and reason for its end;
where a session outlives its transaction the meter is asked, and the next transaction has an id of its own. An authorisation that
is no slot's yet is no session: a transaction begins when its slot is known.

Not here: queue and disk (`delivery`), the power path (`power`), who may charge (`authorization`), when samples are taken (`metering`).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Literal

from hal.disk import Record
from hal.marks import mark
from hal.units import MilliWh, Reading
from meter.sampling import fewer
from statemachine.claims import Hold
from statemachine.slot import Phase, Slot
from station.core.session import Session, Transaction, key_of, record_of, restored
from station.words.common import Context, Origin, Point, Sample, SessionId, Stamp, StopReason, Token, TokenStatus, Why
from station.words.facts import TransactionTold
from station.words.questions import AnyAnswer, TransactionNoted
from station.words.records import Image, SessionRecord
from station.words.settings import Measurands

if TYPE_CHECKING:
    from station.core.core import StationCore

Kind = Literal["started", "updated", "ended"]


class Transactions:
    """`left` holds what the image left open on a slot, until the board has reported its state."""

    __slots__ = ("core", "left")

    def __init__(self, core: StationCore) -> None:
        self.core = core
        self.left: dict[int, tuple[Session | None, Transaction | None]] = {}

    # --- the disk ---

    def restore(self, image: Image) -> None:
        """What was open. The last sign of life knows more of a register than the start did."""
        core, alive = self.core, self.core.boot.alive
        for record in image.get("session", {}).values():
            assert isinstance(record, SessionRecord)
            session, tx = self.left[record.slot] = restored(record)
            slot = core.slot(record.slot)
            if tx is not None and alive is not None:
                tx.last_ms = max(tx.last_ms, dict(alive.told).get(record.slot, 0))
            if session is None or slot is None or session.last_mwh is None:
                continue
            for number, register_mwh in alive.registers if alive is not None else ():
                if number == record.slot:
                    session.last_mwh = max(session.last_mwh, register_mwh)
            slot.meter.remember(session.last_mwh, core.now.mono_ns)

    def records(self) -> list[Record]:
        open_ = [(slot.id, slot.session, slot.tx) for slot in self.core.slots]
        open_ += [(number, *left) for number, left in self.left.items()]
        return [row for each in open_ for row in self._rows(*each)]

    def _rows(self, slot: int, session: Session | None, tx: Transaction | None) -> tuple[Record, ...]:
        """None or one. In 1.6 the disk need not know the seqNo, which is not told."""
        key = key_of(session, tx)
        if key is None:
            return ()
        seq = tx.seq if tx is not None and self.core.policies.tells_updates else 0
        return (Record("session", key, record_of(slot, session, tx, seq)),)

    def save(self, slot: Slot, urgent: bool = False) -> None:
        rows = self._rows(slot.id, slot.session, slot.tx)
        if rows:
            self.core.persist(rows, (), urgent)

    # --- sessions ---

    def open(self, slot: Slot, token: Token, group: str | None, origin: Origin, request: int | None) -> Session:
        """Someone is authorised on this slot. A transaction that began with the cable lends its id to its first session."""
        tx = slot.tx
        key = tx.id if tx is not None and tx.stop is None and tx.ending is None else self._uuid()
        session = Session(key, slot.id, token, group, origin, self.core.stamp())
        session.request = request
        if tx is not None:
            tx.stop = None
            session.told = tx.id == key
        slot.session = session
        slot.finished = slot.stale = slot.waiting_auth = False
        why = Why.REMOTE_START if origin is Origin.CSMS else Why.AUTHORIZED
        self.changed(slot, why)
        self.core.touch(slot)
        return session

    def _uuid(self) -> SessionId:
        h = f"{self.core.rng.draw(64):016x}{self.core.rng.draw(64):016x}"
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-{'89ab'[int(h[16], 16) & 3]}{h[17:20]}-{h[20:]}"

    # --- the cut ---

    def look(self, slot: Slot) -> frozenset[Point]:
        """Which conditions are true now; remembered on the slot."""
        path = slot.session is not None and slot.phase.value >= Phase.STORING.value and slot.plugged
        energy = slot.session is not None and slot.power_closed and slot.drawing
        slot.points = _points(slot.plugged, slot.session is not None, path, energy)
        return slot.points

    def changed(self, slot: Slot, why: Why, then: bool = False) -> None:
        """Something that transactions are made of has changed: start one, end one, or tell of it.

        A point that has become true starts one where a start point is true: also when somebody is authorised anew in a visit whose
        transaction is over, so that no energy flows outside of one. `then`: the power block waits for the disk before it goes on.
        """
        before, now = slot.points, self.look(slot)
        policies, tx, session = self.core.policies, slot.tx, slot.session
        if tx is None:
            if now - before and now & policies.tx_start and slot.phase.value < Phase.ENDING.value:
                self._start(slot, why, then)
                return
        elif tx.ending is None:
            lost = (before - now) & self._stops(slot)
            if lost and session is None:
                tx.stop = tx.stop or _reason(slot)
                self._tell_end(slot, tx, why)
                return
            if lost and session.ending is None:  # else `over` tells it, with the final reading
                tx.stop, tx.ending = _reason(slot), why
                self.core.metering.ask_end(slot)
                return
            if policies.tells_updates and not lost:
                self._tell(slot, tx, "updated", why, then)
                return
        if then:
            self.core.delivery.keep(self._rows(slot.id, session, tx), (), slot)

    def _stops(self, slot: Slot) -> frozenset[Point]:
        """The stop points in force. Where a setting decides what unplugging means, it has ended the session or let it live."""
        policies = self.core.policies
        by_setting = policies.unplug_by_setting and slot.session is not None
        return policies.tx_stop - {Point.CONNECTED} if by_setting else policies.tx_stop

    def _start(self, slot: Slot, why: Why, then: bool) -> None:
        session = slot.session
        lends = session is not None and not session.told
        slot.tx = tx = Transaction(session.id if lends else self._uuid(), self.core.stamp())
        if session is not None:
            session.told = True
        tx.first_mwh = self._register(slot, tx)
        settings = self.core.settings
        what = settings.stop_sampled or settings.stop_aligned
        if what and slot.meter.last is not None:
            tx.samples = (self.core.metering.sample(slot, Context.BEGIN, slot.meter.last, what, tx.started),)
        self._tell(slot, tx, "started", why, then)

    # --- values ---

    def sampled(self, slot: Slot, context: Context, reading: Reading, what: Measurands, kept: Measurands) -> None:
        """A value of the running transaction: told, and kept for its end, as far as each is wanted (1.6 MV-01, MV-11, MV-12).

        Where the clock was set back there are no instants until it is again as late as what was told.
        """
        tx, metering = slot.tx, self.core.metering
        if context is Context.CLOCK and self.core.stamp().utc_ms < tx.last_ms:
            return
        at = self._stamp(tx)
        if kept:
            tx.samples = (*tx.samples, metering.sample(slot, context, reading, kept, at))
            tx.samples = fewer(tx.samples, self.core.settings.stop_values_max - 1)
            self.save(slot)
        if what:
            why = Why.METER_CLOCK if context is Context.CLOCK else Why.METER_PERIODIC
            sample = metering.sample(slot, context, reading, what, at)
            self._put(slot, tx, self._event(slot, tx, "updated", why, at, samples=(sample,)))

    def interrupted(self, slot: Slot, reading: Reading) -> None:
        """The session goes on after a restart: both ends of the interruption. The register did not move in it (1.6 MV-20)."""
        tx, what = slot.tx, self.core.settings.sampled
        if tx is None or not what:
            return
        mark("transaction.interrupted")
        at = self._clamped(tx, self.core.timekeeping.cut())
        still = Reading(reading.energy_mwh)
        before = self.core.metering.sample(slot, Context.INTERRUPTION_BEGIN, still, what, at)
        self._put(slot, tx, self._event(slot, tx, "updated", Why.ABNORMAL, at, samples=(before,)))
        self.sampled(slot, Context.INTERRUPTION_END, reading, what, ())

    # --- ends ---

    def over(self, slot: Slot) -> None:
        """The session has its final reading: it ends here, and so may its transaction. One batch says both."""
        core, session, tx = self.core, slot.session, slot.tx
        key = key_of(session, tx)
        forgets = (("session", key),) if key is not None else ()
        before = slot.points
        slot.phase = Phase.IDLE
        slot.session = None
        slot.finished = slot.plugged or slot.cable
        session.first_mwh = session.last_mwh if session.first_mwh is None else session.first_mwh
        lost = before - self.look(slot)
        if tx is None:
            if forgets:
                core.delivery.keep((), forgets)
        elif lost & core.policies.tx_stop or session.resumed or tx.ending is not None:
            self._end(slot, session, tx, forgets)
        else:
            tx.stop, tx.last_mwh = session.ending, session.last_mwh
            if core.policies.tells_updates:
                told = self._event(slot, tx, "updated", session.stop_why, self._stamp(tx), session)
                core.delivery.promise(told, self._rows(slot.id, None, tx), forgets, True)
            else:
                core.delivery.keep(self._rows(slot.id, None, tx), forgets)
        core.events.session_ended(slot, session)

    def _end(self, slot: Slot, session: Session, tx: Transaction, forgets: tuple[tuple[str, str], ...]) -> None:
        at = self._clamped(tx, self.core.timekeeping.cut()) if session.resumed else self._stamp(tx)
        if tx.ending is None:
            tx.stop = session.ending
        told = self._event(slot, tx, "ended", session.stop_why, at, session, self._data(slot, session, tx, at))
        slot.tx = None
        self.core.delivery.promise(told, (), forgets, True)

    def take(self, slot: Slot) -> tuple[Session, Transaction | None] | None:
        """What the last boot left open here. A transaction without a session ends by itself, at the last sign of life."""
        session, tx = self.left.pop(slot.id, (None, None))
        if session is not None:
            return session, tx
        if tx is not None:
            slot.tx = tx
            tx.stop = tx.stop or self.core.boot.stop
            self._tell_end(slot, tx, Why.ABNORMAL, self._clamped(tx, self.core.timekeeping.cut()))
        return None

    def end_read(self, slot: Slot) -> None:
        """The meter was asked because a transaction is over while its session goes on; it has answered, or it will not."""
        tx, session = slot.tx, slot.session
        if tx is None or tx.ending is None or session is None:
            return
        self._tell_end(slot, tx, tx.ending)
        session.token_told = False  # the next one is told whose it is

    def _tell_end(self, slot: Slot, tx: Transaction, why: Why, at: Stamp | None = None) -> None:
        at = at or self._stamp(tx)
        told = self._event(slot, tx, "ended", why, at, slot.session, self._data(slot, slot.session, tx, at))
        slot.tx = None
        rows = self._rows(slot.id, slot.session, None)
        self.core.delivery.promise(told, rows, () if slot.session else (("session", tx.id),), True)

    def _data(self, slot: Slot, session: Session | None, tx: Transaction, at: Stamp) -> tuple[Sample, ...]:
        """What was kept, between the first and the last register, which are always there (1.6 MV-11 to MV-15)."""
        metering, settings = self.core.metering, self.core.settings
        what = settings.stop_sampled or settings.stop_aligned
        if not what:
            return ()
        samples, register = tx.samples, self._register(slot, tx, session)
        if register is None:
            return samples
        if not samples or samples[0].context is not Context.BEGIN:
            first = register if tx.first_mwh is None else tx.first_mwh
            samples = (metering.sample(slot, Context.BEGIN, Reading(first), what, tx.started), *samples)
        last = slot.meter.last
        if last is None or last.energy_mwh != register:
            last = Reading(register)
        return fewer((*samples, metering.sample(slot, Context.END, last, what, at)), settings.stop_values_max)

    # --- telling ---

    def _tell(self, slot: Slot, tx: Transaction, kind: Kind, why: Why, then: bool) -> None:
        told = self._event(slot, tx, kind, why, self._stamp(tx))
        rows = self._rows(slot.id, slot.session, tx)
        rows += self.core.timekeeping.sign() if kind == "started" else ()  # a boot that finds it knows since when
        self.core.delivery.promise(told, rows, (), kind != "updated" or then, slot if then else None)

    def _put(self, slot: Slot, tx: Transaction, told: TransactionTold) -> None:
        """A value: where it spends a seqNo that is told, it leaves only when it is durable. The next boot has to know its register."""
        if self.core.policies.tells_updates:
            self.core.delivery.promise(told, self._rows(slot.id, slot.session, tx), (), False)
        else:
            self.core.delivery.tell(told, self.core.timekeeping.sign())

    def _event(
        self,
        slot: Slot,
        tx: Transaction,
        kind: Kind,
        why: Why,
        at: Stamp,
        session: Session | None = None,
        samples: tuple[Sample, ...] = (),
    ) -> TransactionTold:
        session = session or slot.session
        seq, tx.seq = tx.seq, tx.seq + 1
        connected = slot.plugged and not tx.connected_told
        tx.connected_told = tx.connected_told or connected
        return TransactionTold(
            kind,
            tx.id,
            slot.id,
            seq,
            why,
            at,
            slot.charging_state,
            token=self._token(session, kind),
            register_mwh=None if kind == "updated" else self._register(slot, tx, session),
            samples=samples,
            stop=tx.stop if kind == "ended" else None,
            request=self._request(session),
            first_connected=connected,
            offline=self.core.policies.offline_flag and not self.core.connection.online,
        )

    def _stamp(self, tx: Transaction) -> Stamp:
        return self._clamped(tx, self.core.stamp())

    def _clamped(self, tx: Transaction, stamp: Stamp) -> Stamp:
        """What is told of a transaction never goes back in time, whatever the clock does meanwhile."""
        if stamp.utc_ms < tx.last_ms:
            mark("time.went_back")
            stamp = Stamp(tx.last_ms, stamp.boot, stamp.mono_ms)
        tx.last_ms = stamp.utc_ms
        return stamp

    def _token(self, session: Session | None, kind: Kind) -> Token | None:
        """The starting token once, in the first event after it was authorised; the stopping one in the event that ends it."""
        if session is None:
            return None
        if not session.token_told:
            session.token_told = True
            return session.token
        return session.stop_token if kind == "ended" else None

    def _request(self, session: Session | None) -> int | None:
        if session is None or session.request is None or session.request_told:
            return None
        session.request_told = True
        return session.request

    def _register(self, slot: Slot, tx: Transaction, session: Session | None = None) -> MilliWh | None:
        """Where the register of this transaction stands: as its session last read it; without one nothing has flowed since."""
        session = session or slot.session
        if session is not None and session.last_mwh is not None:
            return session.last_mwh
        if tx.last_mwh is not None or slot.meter.last is None:
            return tx.last_mwh
        register: MilliWh = slot.meter.last.energy_mwh
        return register

    # --- answers ---

    def answered(self, told: TransactionTold, answer: AnyAnswer) -> None:
        core = self.core
        if isinstance(answer, TransactionNoted) and answer.token is not None:
            if told.token is not None:
                core.tokens.learn(told.token, answer.token)
            slot = core.slot(told.slot)
            tx = slot.tx if slot is not None else None
            if slot is not None and tx is not None and tx.id == told.session and told.kind != "ended":
                self._judged(slot, answer.token.status, answer.token.group)

    def _judged(self, slot: Slot, status: TokenStatus, group: str | None) -> None:
        """The CSMS's opinion of the token of a running session (1.6 START-05, START-06, OFFA-04 to 06)."""
        core, session = self.core, slot.session
        if session is None or session.ending is not None:
            return
        if group is not None and group != session.group:
            session.group = group
            self.save(slot)
        if status is TokenStatus.ACCEPTED or not session.accepted:
            return
        session.accepted = False
        core.note("warning", "session.refused", slot.id)
        if core.settings.stop_on_invalid:
            core.power.end(slot, StopReason.DEAUTHORIZED, Why.DEAUTHORIZED)
            return
        self.save(slot)
        grace = core.settings.max_energy_on_invalid_wh * 1000
        last = slot.meter.last.energy_mwh if slot.meter.last else 0
        if grace > 0 and session.first_mwh is not None and last - session.first_mwh < grace:
            session.energy_left_mwh = session.first_mwh + grace
            core.metering.expect(slot)
        else:
            core.power.hold(slot, Hold.REFUSED)


@functools.cache
def _points(plugged: bool, authorized: bool, path: bool, energy: bool) -> frozenset[Point]:
    """The same few sets for all stations."""
    true = {Point.VEHICLE, Point.CONNECTED} if plugged else set()
    true |= {Point.AUTHORIZED} if authorized else set()
    true |= {Point.POWER_PATH} if path else set()
    return frozenset(true | ({Point.ENERGY} if energy else set()))


def _reason(slot: Slot) -> StopReason:
    """Why a stop point was lost while the session goes on."""
    if not slot.plugged:
        return StopReason.EV_DISCONNECTED
    return StopReason.OTHER if slot.holds else StopReason.STOPPED_BY_EV
