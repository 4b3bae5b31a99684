"""Sessions and the transactions cut out of them: what is told to the CSMS, what the disk must hold first, what its answers mean.

One block computes the cut for every version, from the start and stop points in the policies (1.6 §§3.7, 4.8, 4.10; 2.0.1 block E).
Not here: the power path (`power`), who may charge (`authorization`), when samples are taken (`metering`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from hal.clock import Due
from hal.disk import Forget, Record, RecordKey
from hal.units import MilliWh
from ocpp_client.outbox import Queued, Told
from statemachine.claims import Hold
from statemachine.slot import Phase, Slot
from station.core.session import Session, Transaction
from station.words.common import Origin, Point, Sample, SessionId, Stamp, StopReason, Token, TokenStatus, Why
from station.words.facts import MeterTold, TransactionTold
from station.words.questions import AnyAnswer, TransactionNoted
from station.words.records import AliveRecord, DeadLetter, DialectRecord, Image, OutboxRecord, SessionRecord

if TYPE_CHECKING:
    from station.core.core import StationCore

ALIVE_S: Final = 60


class Transactions:
    """`left` holds sessions that the image left open, until the board has reported its state."""

    __slots__ = ("core", "left", "mark", "unsaved")

    def __init__(self, core: StationCore) -> None:
        self.core = core
        self.left: dict[int, tuple[Session, Transaction | None]] = {}
        self.mark: AliveRecord | None = core.boot.alive
        self.unsaved: list[tuple[tuple[Record, ...], tuple[RecordKey, ...]]] = []

    # --- the disk ---

    def restore(self, image: Image) -> None:
        connection = self.core.connection
        for key, record in sorted(image.get("outbox", {}).items()):
            assert isinstance(record, OutboxRecord)
            connection.outbox.restore(int(key), record)
        for key, record in image.get("dialect", {}).items():
            assert isinstance(record, DialectRecord)
            connection.transactions[key] = record.transaction
        for record in image.get("session", {}).values():
            assert isinstance(record, SessionRecord)
            self.left[record.slot] = Session.restored(record)

    def records(self) -> list[Record]:
        rows = [Record("dialect", k, DialectRecord(v)) for k, v in self.core.connection.transactions.items()]
        if self.mark is not None:
            rows.append(Record("alive", "", self.mark))
        for slot in self.core.slots:
            if slot.session is not None and slot.session.first_mwh is not None:
                rows.append(Record("session", slot.session.id, slot.session.record(slot.tx)))
        rows += [Record("session", s.id, s.record(tx)) for s, tx in self.left.values()]
        return rows

    # --- sessions ---

    def open(self, slot: Slot, token: Token, group: str | None, origin: Origin, request: int | None) -> Session:
        """Someone is authorised on this slot. A transaction that began with the cable lends its id to the session."""
        key = slot.tx.id if slot.tx is not None else self._uuid()
        session = Session(key, slot.id, token, group, origin, self.core.stamp())
        session.request = request
        slot.session = session
        slot.finished = slot.stale = slot.waiting_auth = False
        why = Why.REMOTE_START if origin is Origin.CSMS else Why.AUTHORIZED
        self.changed(slot, why)
        self.core.touch(slot)
        return session

    def _uuid(self) -> SessionId:
        h = f"{self.core.rng.draw(64):016x}{self.core.rng.draw(64):016x}"
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-{'89ab'[int(h[16], 16) & 3]}{h[17:20]}-{h[20:]}"

    def points(self, slot: Slot) -> frozenset[Point]:
        """The conditions that are true now."""
        true = set()
        if slot.plugged:
            true |= {Point.VEHICLE, Point.CONNECTED}
        if slot.session is not None:
            true.add(Point.AUTHORIZED)
            if slot.phase.value >= Phase.STORING.value and slot.plugged:
                true.add(Point.POWER_PATH)
            if slot.power_closed and slot.drawing:
                true.add(Point.ENERGY)
        return frozenset(true)

    # --- the cut ---

    def changed(self, slot: Slot, why: Why, then: bool = False) -> None:
        """Something that transactions are made of has changed: start one, end one, or tell of it.

        `then`: the power block waits for the disk before it goes on; it is called back even if there was nothing to tell.
        """
        now_true = self.points(slot)
        policies, tx = self.core.policies, slot.tx
        if tx is None:
            if now_true & policies.tx_start and slot.phase.value < Phase.ENDING.value:
                slot.tx = Transaction(slot.session.id if slot.session else self._uuid(), self.core.stamp())
                slot.tx.held = now_true
                self._tell(slot, "started", why, then)
            elif then:
                self._persist_session(slot)
            return
        lost = tx.held - now_true
        tx.held = now_true
        if (
            lost & policies.tx_stop and slot.session is None
        ):  # with a session, `over` tells the end once the final reading is there
            self._tell(slot, "ended", why, False)
            slot.tx = None
        elif policies.tells_updates:
            self._tell(slot, "updated", why, then)
        elif then:
            self._persist_session(slot)

    def sampled(self, slot: Slot, why: Why, sample: Sample) -> None:
        """A periodic or aligned sample of the running transaction."""
        self._put(slot, self._event(slot, "updated", why, samples=(sample,)), False, False)

    def kept(self, slot: Slot, sample: Sample, most: int) -> None:
        """A sample for the end of the transaction; over the bound every second one in between goes (1.6 MV-15)."""
        session = slot.session
        if session is None:
            return
        samples = (*session.samples, sample)
        if len(samples) > most:
            samples = (samples[0], *samples[1:-1:2], samples[-1])
        session.samples = samples
        if session.first_mwh is not None:
            self.core.persist((Record("session", session.id, session.record(slot.tx)),))

    def over(self, slot: Slot, final: Sample | None) -> None:
        """The session has its final reading: it ends here, and so may its transaction. One batch says both."""
        session = slot.session
        assert session is not None
        tx = slot.tx
        slot.phase = Phase.IDLE
        slot.session = None
        slot.finished = slot.plugged or slot.cable
        if tx is None:
            self._save((), (("session", session.id),) if session.first_mwh is not None else ())
        else:
            self._end(slot, session, tx, final)
        self.core.events.session_ended(slot, session)

    def _end(self, slot: Slot, session: Session, tx: Transaction, final: Sample | None) -> None:
        now_true = self.points(slot)
        lost, tx.held = tx.held - now_true, now_true
        ends = bool(lost & self.core.policies.tx_stop) or session.resumed
        kind: Literal["ended", "updated"] = "ended" if ends else "updated"
        if not ends and not self.core.policies.tells_updates:
            self._save((), (("session", session.id),))
            return
        if final is not None:
            session.samples = (*session.samples, final)
        told = self._event(slot, kind, session.stop_why, session=session, tx=tx, samples=session.samples)
        if ends:
            slot.tx = None
        queued = self.core.connection.put(told)
        queued.stored = False
        record = Record("outbox", queued.key, queued.record(self.core.policies.version))
        self._save((record,), (("session", session.id),), queued)

    def _save(self, puts: tuple[Record, ...], forgets: tuple[RecordKey, ...], queued: Queued | None = None) -> None:
        """Write the end of a session; if the disk refuses, it is tried again until it works, and told all the same."""
        if puts or forgets:
            self.core.persist(puts, forgets, True, self._saved, puts, forgets, queued)
        else:
            self.core.provisioning.progress()

    def _saved(self, ok: bool, puts: tuple[Record, ...], forgets: tuple[RecordKey, ...], queued: Queued | None) -> None:
        if queued is not None:
            queued.stored = True
        if not ok:
            self.unsaved.append((puts, forgets))
            self.core.after(Due.ALIVE, ALIVE_S)
        self.core.provisioning.progress()

    # --- telling ---

    def _tell(self, slot: Slot, kind: Literal["started", "updated", "ended"], why: Why, then: bool) -> None:
        self._put(slot, self._event(slot, kind, why), kind != "updated", then)

    def _event(
        self,
        slot: Slot,
        kind: Literal["started", "updated", "ended"],
        why: Why,
        session: Session | None = None,
        tx: Transaction | None = None,
        samples: tuple[Sample, ...] = (),
    ) -> TransactionTold:
        session = session or slot.session
        tx = tx or slot.tx
        assert tx is not None
        seq, tx.seq = tx.seq, tx.seq + 1
        connected = slot.plugged and not tx.connected_told
        tx.connected_told = tx.connected_told or connected
        ended = kind == "ended"
        return TransactionTold(
            kind,
            tx.id,
            slot.id,
            seq,
            why,
            self._stamp(tx, session if ended else None),
            slot.charging_state,
            token=self._token(session, kind),
            register_mwh=self._register(slot, session, kind),
            samples=samples,
            stop=session.ending if ended and session is not None else None,
            request=self._request(session),
            first_connected=connected,
            offline=self.core.policies.offline_flag and not self.core.connection.online,
        )

    def _stamp(self, tx: Transaction, ending: Session | None) -> Stamp:
        """Now, but never before what was last told of this transaction; for a session that a cut ended, the last sign of life."""
        core = self.core
        stamp = core.stamp()
        if ending is not None and ending.resumed and core.boot.alive is not None:
            stamp = core.boot.alive.at
        if stamp.utc_ms < tx.last_ms:
            stamp = Stamp(tx.last_ms, stamp.boot, stamp.mono_ms)
        tx.last_ms = stamp.utc_ms
        return stamp

    def _token(self, session: Session | None, kind: str) -> Token | None:
        """The starting token once, in the first event after it was authorised; the stopping one in the event that ends it."""
        if session is None:
            return None
        if kind == "ended" and session.token_told:
            return session.stop_token
        if session.token_told:
            return None
        session.token_told = True
        return session.token

    def _request(self, session: Session | None) -> int | None:
        if session is None or session.request is None or session.request_told:
            return None
        session.request_told = True
        return session.request

    def _register(self, slot: Slot, session: Session | None, kind: str) -> MilliWh | None:
        if session is None:
            return None
        return session.first_mwh if kind == "started" else session.last_mwh if kind == "ended" else None

    def _put(self, slot: Slot, told: TransactionTold, boundary: bool, then: bool) -> None:
        """Queue the event and write it; a boundary, or one that spends a seqNo on the wire, leaves only when it is durable."""
        core = self.core
        queued = core.connection.put(told)
        puts = [Record("outbox", queued.key, queued.record(core.policies.version))]
        session = slot.session
        if boundary or core.policies.tells_updates:
            if session is not None and session.first_mwh is not None:
                puts.append(Record("session", session.id, session.record(slot.tx)))
            queued.stored = False
            core.persist(tuple(puts), (), boundary, self._stored, queued, slot if then else None)
        else:
            core.persist(tuple(puts))
        thinned = core.connection.outbox.thin() if len(core.connection.outbox.records) % 1024 == 0 else ()
        if thinned:
            core.emit(Forget(tuple(("outbox", q.key) for q in thinned)))
            core.note("warning", "outbox.thinned", 0, len(thinned))

    def _persist_session(self, slot: Slot) -> None:
        session = slot.session
        assert session is not None
        record = Record("session", session.id, session.record(slot.tx))
        self.core.persist((record,), (), True, self._stored, None, slot)

    def _stored(self, ok: bool, queued: Queued | None, slot: Slot | None) -> None:
        if queued is not None:
            if ok or slot is None:
                queued.stored = True
            else:  # the start never reached the disk: it has not happened, and there will be no power for it
                self.core.connection.outbox.done(queued)
                slot.tx = None
        if slot is not None:
            self.core.power.stored(slot, ok)

    # --- answers ---

    def numbered(self, told: Told, transaction: int) -> None:
        """The CSMS's own number for a transaction: kept until its end has been delivered."""
        if isinstance(told, TransactionTold):
            self.core.connection.transactions[told.session] = transaction
            self.core.persist((Record("dialect", told.session, DialectRecord(transaction)),))

    def forget(self, queued: Queued) -> None:
        """A record was delivered or given up: it leaves the disk, and with the end of a transaction its number."""
        keys: list[RecordKey] = [("outbox", queued.key)]
        told = queued.told
        match told:
            case TransactionTold(kind="ended") if told.session in self.core.connection.transactions:
                del self.core.connection.transactions[told.session]
                keys.append(("dialect", told.session))
            case _:
                pass
        self.core.emit(Forget(tuple(keys)))

    def answered(self, told: TransactionTold, answer: AnyAnswer) -> None:
        core = self.core
        if isinstance(answer, TransactionNoted) and answer.token is not None:
            token = told.token
            if token is not None:
                core.authorization.learn(token, answer.token)
            slot = core.slot(told.slot)
            session = slot.session if slot is not None else None
            if slot is not None and session is not None and session.id == told.session and told.kind != "ended":
                session.group = answer.token.group or session.group
                if answer.token.status is not TokenStatus.ACCEPTED:
                    self._refused(slot, session)
        core.provisioning.progress()

    def _refused(self, slot: Slot, session: Session) -> None:
        """The CSMS does not accept the token of a running session (1.6 START-05, START-06, OFFA-04 to 06)."""
        core = self.core
        if not session.accepted or session.ending is not None:
            return
        session.accepted = False
        core.note("warning", "session.refused", slot.id)
        if core.settings.stop_on_invalid:
            core.power.end(slot, StopReason.DEAUTHORIZED, Why.DEAUTHORIZED)
            return
        grace = core.settings.max_energy_on_invalid_wh * 1000
        last = slot.meter.last.energy_mwh if slot.meter.last else 0
        if grace > 0 and session.first_mwh is not None and last - session.first_mwh < grace:
            session.energy_left_mwh = session.first_mwh + grace
        else:
            core.power.hold(slot, Hold.REFUSED)

    def attempted(self, queued: Queued, gone: bool, why: str) -> None:
        """A try failed while connected; given up, the record becomes a dead letter."""
        core = self.core
        record = queued.record(core.policies.version)
        if not gone:
            core.persist((Record("outbox", queued.key, record),))
            return
        core.note("error", "outbox.dead_letter", 0, queued.message_id, why)
        core.persist((Record("dead", queued.key, DeadLetter(record, why, core.stamp())),), (("outbox", queued.key),))
        told = queued.told
        if isinstance(told, TransactionTold) and told.kind == "ended":
            core.connection.transactions.pop(told.session, None)

    # --- time ---

    def watch(self) -> None:
        """A session runs: leave signs of life on the disk."""
        if not self.core.deadlines.pending(Due.ALIVE):
            self.core.after(Due.ALIVE, ALIVE_S)
            self.leave_mark()

    def alive(self) -> None:
        for puts, forgets in self.unsaved:
            self.core.persist(puts, forgets, True, self._saved, puts, forgets, None)
        self.unsaved.clear()
        if any(slot.session is not None for slot in self.core.slots):
            self.leave_mark()
            self.core.after(Due.ALIVE, ALIVE_S)

    def leave_mark(self) -> None:
        core = self.core
        self.mark = AliveRecord(core.stamp(), core.now.mono_ns)
        core.persist((Record("alive", "", self.mark),))

    def clock_trusted(self) -> None:
        """What was stamped in this boot before the time was known gets its UTC now, before it is sent."""
        core = self.core
        puts = []
        for queued in core.connection.outbox.records:
            if queued is core.connection.rpc.out:
                continue
            mended = self._mended(queued.told)
            if mended is not queued.told:
                queued.told = mended
                puts.append(Record("outbox", queued.key, queued.record(core.policies.version)))
        for slot in core.slots:
            if slot.tx is not None:
                slot.tx.started = core.time.mended(slot.tx.started)
                slot.tx.last_ms = slot.tx.started.utc_ms
            if slot.session is not None:
                slot.session.started = core.time.mended(slot.session.started)
                if slot.session.first_mwh is not None:
                    puts.append(Record("session", slot.session.id, slot.session.record(slot.tx)))
        if puts:
            core.persist(tuple(puts))

    def _mended(self, told: Told) -> Told:
        mend = self.core.time.mended
        match told:
            case TransactionTold():
                at = mend(told.at)
                if at is told.at and not any(s.at.boot for s in told.samples):
                    return told
                samples = tuple(
                    Sample(mend(s.at), s.context, s.reading, s.what, s.offered_ma, s.rotation) for s in told.samples
                )
                return msgspec.structs.replace(told, at=at, samples=samples)
            case MeterTold():
                samples = tuple(
                    Sample(mend(s.at), s.context, s.reading, s.what, s.offered_ma, s.rotation) for s in told.samples
                )
                return msgspec.structs.replace(told, samples=samples)
            case _:
                return told
