"""A session and a transaction, as they run: mutable, small, plain data that goes to the disk as `SessionRecord`."""

from __future__ import annotations

from hal.units import MilliWh, SlotId, TokenUid, UtcMs
from station.core.intent import belongs
from station.words.common import Origin, Sample, SessionId, Stamp, StopReason, Token, Why
from station.words.records import SessionRecord


class Transaction:
    """OCPP's record, cut out of visit and session.

    `seq` is the next seqNo, `samples` are kept for its end. `stop` says why it ends, or why the session went that it outlives;
    `ending` that it is over while its session goes on, and waits for a reading.
    """

    __slots__ = (
        "connected_told",
        "ending",
        "first_mwh",
        "id",
        "last_ms",
        "last_mwh",
        "samples",
        "seq",
        "started",
        "stop",
    )

    def __init__(self, key: SessionId, started: Stamp) -> None:
        self.id = key
        self.started = started
        self.seq = 0
        self.last_ms: UtcMs = started.utc_ms  # what is told of it never goes back in time
        self.first_mwh: MilliWh | None = None
        self.last_mwh: MilliWh | None = None  # of the session that it outlived
        self.samples: tuple[Sample, ...] = ()
        self.stop: StopReason | None = None
        self.ending: Why | None = None
        self.connected_told = False


class Session:
    """Authorised until de-authorised, on one slot. Energies are absolute registers."""

    __slots__ = (
        "accepted",
        "broken",
        "ending",
        "energy_left_mwh",
        "first_mwh",
        "group",
        "id",
        "last_mwh",
        "marked",
        "origin",
        "request",
        "request_told",
        "resumed",
        "slot",
        "started",
        "stop_token",
        "stop_why",
        "token",
        "token_told",
        "told",
    )

    def __init__(
        self, key: SessionId, slot: SlotId, token: Token, group: TokenUid | None, origin: Origin, started: Stamp
    ) -> None:
        self.id = key
        self.slot = slot
        self.token = token
        self.group = group
        self.origin = origin
        self.started = started
        self.request: int | None = None
        self.request_told = False
        self.token_told = False
        self.told = False  # some transaction of this session has borne its id
        self.first_mwh: MilliWh | None = None
        self.last_mwh: MilliWh | None = None
        self.marked = False  # a boundary reading was missing and the last known one stands in for it
        self.broken = False  # the meter's register broke: nothing it says from then on counts for this session
        self.ending: StopReason | None = None
        self.stop_why = Why.STOP_AUTHORIZED
        self.stop_token: Token | None = None
        self.accepted = True  # False once the CSMS has refused the token after the start
        self.energy_left_mwh: MilliWh | None = None  # grace after a refusal
        self.resumed = False  # carried over a restart, to be ended

    def same_token(self, token: Token, group: TokenUid | None) -> bool:
        """Whether this token, or one of its group, may end the session (1.6 AUTH-05, AUTH-06)."""
        return belongs(token, group, self.token, self.group)


def key_of(session: Session | None, tx: Transaction | None) -> SessionId | None:
    """Under which key the disk holds what runs on a slot; None where there is nothing to hold yet."""
    if session is not None:
        return session.id if session.first_mwh is not None or tx is not None else None
    return tx.id if tx is not None else None


def record_of(slot: SlotId, session: Session | None, tx: Transaction | None, seq: int) -> SessionRecord:
    """What the disk needs to end both after any cut. `seq` is the next seqNo, as far as the disk has to know it."""
    if session is None:
        assert tx is not None
        return SessionRecord(
            session=tx.id,
            slot=slot,
            token=None,
            origin=Origin.LOCAL,
            started=tx.started,
            register_mwh=tx.last_mwh,
            seq=seq,
            transaction=tx.id,
            ending=tx.stop,
            samples=tx.samples,
        )
    return SessionRecord(
        session=session.id,
        slot=slot,
        token=session.token,
        origin=session.origin,
        started=tx.started if tx is not None else session.started,
        register_mwh=session.first_mwh,
        seq=seq,
        group=session.group,
        request=session.request,
        told=session.told,
        transaction=tx.id if tx is not None else "",
        ending=session.ending,
        refused=not session.accepted,
        samples=tx.samples if tx is not None else (),
    )


def restored(record: SessionRecord) -> tuple[Session | None, Transaction | None]:
    """The session of a record, and its transaction where one had been told. Either may have outlived the other."""
    session = None
    if record.token is not None:
        session = Session(record.session, record.slot, record.token, record.group, record.origin, record.started)
        session.request = record.request
        session.request_told = session.told = record.told
        session.token_told = bool(record.transaction)
        session.first_mwh = session.last_mwh = record.register_mwh
        session.accepted = not record.refused
        session.ending = record.ending
        session.resumed = True
    if not record.transaction:
        return session, None
    tx = Transaction(record.transaction, record.started)
    tx.seq = record.seq
    tx.samples = record.samples
    tx.first_mwh = tx.last_mwh = record.register_mwh
    tx.connected_told = True
    if session is None:
        tx.stop = record.ending
    return session, tx
