"""A session and a transaction, as they run: mutable, small, plain data that goes to the disk as `SessionRecord`."""

from __future__ import annotations

from hal.units import MilliWh, SlotId, TokenUid, UtcMs
from station.words.common import Origin, Point, Sample, SessionId, Stamp, StopReason, Token, Why
from station.words.records import SessionRecord


class Transaction:
    """OCPP's record, cut out of visit and session. `seq` is the next seqNo; `held` the points that are true now."""

    __slots__ = ("connected_told", "held", "id", "last_ms", "seq", "started")

    def __init__(self, key: SessionId, started: Stamp) -> None:
        self.id = key
        self.started = started
        self.seq = 0
        self.last_ms: UtcMs = started.utc_ms
        self.held: frozenset[Point] = frozenset()
        self.connected_told = False


class Session:
    """Authorised until de-authorised, on one slot. Energies are absolute registers."""

    __slots__ = (
        "accepted",
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
        "samples",
        "slot",
        "started",
        "stop_token",
        "stop_why",
        "token",
        "token_told",
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
        self.first_mwh: MilliWh | None = None
        self.last_mwh: MilliWh | None = None
        self.marked = False  # a boundary reading was missing and the last known one stands in for it
        self.ending: StopReason | None = None
        self.stop_why = Why.STOP_AUTHORIZED
        self.stop_token: Token | None = None
        self.accepted = True  # False once the CSMS has refused the token after the start
        self.energy_left_mwh: MilliWh | None = None  # grace after a refusal
        self.resumed = False  # carried over a restart
        self.samples: tuple[Sample, ...] = ()

    def same_token(self, token: Token, group: TokenUid | None) -> bool:
        """Whether this token, or one of its group, may end the session (1.6 AUTH-05, AUTH-06)."""
        if self.token.same_as(token):
            return True
        return group is not None and self.group is not None and group.casefold() == self.group.casefold()

    def record(self, tx: Transaction | None) -> SessionRecord:
        """What the disk needs to end this session after any cut."""
        return SessionRecord(
            session=self.id,
            slot=self.slot,
            token=self.token,
            origin=self.origin,
            started=tx.started if tx else self.started,
            register_mwh=self.first_mwh or 0,
            seq=tx.seq if tx else 0,
            group=self.group,
            request=self.request,
            told=tx is not None,
            ending=self.ending,
            samples=self.samples,
            last_mwh=self.last_mwh,
        )

    @classmethod
    def restored(cls, record: SessionRecord) -> tuple[Session, Transaction | None]:
        """The session of a record, and its transaction where one had been told."""
        session = cls(record.session, record.slot, record.token, record.group, record.origin, record.started)
        session.request, session.request_told, session.token_told = record.request, True, True
        session.first_mwh = record.register_mwh
        session.last_mwh = record.last_mwh
        session.samples = record.samples
        session.resumed = True
        if not record.told:
            return session, None
        tx = Transaction(record.session, record.started)
        tx.seq = record.seq
        tx.connected_told = True
        return session, tx
