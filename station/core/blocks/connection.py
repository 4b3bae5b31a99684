"""The connection: dialling, the one call that is out, answers in and out, and what is sent next.

Joins link, RPC, outbox and dialect (OCPP-J §§2, 4, 5). Not here: what any message means to the station; whether the CSMS has accepted it
is `provisioning`'s to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hal.clock import Due
from hal.disk import Record
from hal.units import SECOND, MonoNs, Ticket
from ocpp_client.dialects import load
from ocpp_client.dialects.base import About, Answered, CallRefused, Dialect
from ocpp_client.link import LinkDown, LinkUp
from ocpp_client.outbox import Outbox, Queued, Told
from ocpp_client.registration import BackOff, Standing
from ocpp_client.rpc import Asked, Rpc, error, result
from ocpp_client.wire.frame import BadFrame, Call, CallError, CallResult, split
from ocpp_client.wire.refusal import frame_code
from station.core.effects import Ask, OpenLink, SendFrame
from station.words.common import Origin
from station.words.facts import MeterTold, StatusChanged, TransactionTold
from station.words.outcomes import AnyOutcome
from station.words.questions import AnyAnswer, AskTime, Authorize, LinkLost, Refused, Register, TimedOut

if TYPE_CHECKING:
    from station.core.core import StationCore

TOO_BIG: Final = 1009  # close code
STEADY_NS: Final = 30 * SECOND  # a connection that lasted so long was a good one: the waits between attempts begin anew
UNAUTHORIZED: Final = (401, 403)
UNKNOWN: Final = ("NotImplemented", "NotSupported")
UNREADABLE: Final = "its answer cannot be read"

ASK_SHARE: Final = 0.7  # of the message time-out: what a command may take before it is answered TimedOut
ASK_LEAST_S: Final = 6  # but no less than the disk may take: what was refused must not come true afterwards


class Connection:
    """One connection at a time: `OpenLink` is asked for only after the `LinkDown` of the one before (OCPP-J §4.1.1).

    `dialled`: from OpenLink to the LinkDown that ends what it began; `up`: open. `transactions` are 1.6's transactionIds by session.
    `triggering`: what is put now was asked for by the CSMS.
    """

    __slots__ = (
        "about",
        "backoff",
        "core",
        "counter",
        "dialect",
        "dialled",
        "outbox",
        "rpc",
        "standing",
        "transactions",
        "triggering",
        "up",
        "up_at_ns",
    )

    def __init__(self, core: StationCore) -> None:
        self.core = core
        self.outbox = Outbox()
        self.rpc = Rpc()
        self.backoff = BackOff()
        self.standing = Standing.UNKNOWN
        self.dialled = self.up = False
        self.up_at_ns = 0
        self.dialect: Dialect = load(core.policies.version)
        self.transactions: dict[str, int] = {}
        self.counter = 0
        self.triggering = False
        self.about = About(core.shape, core.shape.serial or core.serial, self.transactions)

    @property
    def online(self) -> bool:
        """Connected and accepted."""
        return self.up and self.standing is Standing.ACCEPTED

    def records(self) -> list[Record]:
        version = self.core.policies.version
        return [Record("outbox", q.key, q.record(version)) for q in self.outbox.records]

    # --- the link ---

    def dial(self) -> None:
        """Offer what we speak. While a restart is on its way there is nothing to say; should it fail, there is."""
        if self.core.provisioning.restarting:
            self._dial_later()
        else:
            self.dialled = True
            self.core.emit(OpenLink((self.dialect.subprotocol,)))

    def _dial_later(self) -> MonoNs:
        """The wait before the next attempt grows from failure to failure and has a random part (1.6 J-45)."""
        core, settings = self.core, self.core.settings
        wait = self.backoff.next_ns(
            settings.backoff_min_s, settings.backoff_random_s, settings.backoff_repeat, core.rng
        )
        core.deadlines.set(Due.CONNECT, core.now.mono_ns + wait * core.real)
        return wait

    def link_up(self, item: LinkUp) -> None:
        self.up = True
        self.up_at_ns = self.core.now.mono_ns
        self.outbox.online()
        self.core.note("info", "link.up", 0, item.subprotocol)
        self.core.provisioning.connected()

    def link_down(self, item: LinkDown) -> None:
        """Whatever ended it, or kept it from being: another attempt follows. Some servers refuse us only after the handshake,
        with a close: such a connection counts as a failure like any other."""
        core, was_up = self.core, self.up
        self.dialled = self.up = False
        if was_up and core.now.mono_ns - self.up_at_ns >= STEADY_NS * core.real:
            self.backoff.reset()
        wait = self._dial_later()
        core.note("warning" if was_up else "info", "link.down", 0, item.detail, wait // SECOND)
        if item.http_status in UNAUTHORIZED:
            core.note("warning", "security.FailedToAuthenticateAtCsms")
        for due in (Due.CALL, Due.ASK, Due.RETRY):
            core.deadlines.cancel(due)
        out = self.rpc.reset()
        # It will be too big for ever: an attempt, not an outage.
        if out is not None and out.durable and item.close_code == TOO_BIG:
            self._failed(out, TimedOut(), "it is too big for the CSMS")
        lost = self.outbox.offline()
        core.provisioning.disconnected()
        for queued in lost:
            self._settled(queued, LinkLost())

    # --- frames in ---

    def received(self, text: str) -> None:
        try:
            frame = split(text)
        except BadFrame as bad:
            self.core.note("warning", "frame.bad", 0, bad.reason)
            refusal = frame_code(self.dialect.wire, bad)
            if bad.message_type in (3, 4):  # a broken answer is no question
                if bad.message_id is not None:
                    self._refused(bad.message_id, Refused("FormationViolation", bad.reason), UNREADABLE)
            elif refusal is not None and not self._silent:
                self._send(error(bad.message_id, *refusal))
            return
        if type(frame) is CallResult:
            self._answered(frame)
        elif type(frame) is Call:
            self._called(frame)
        elif type(frame) is CallError:
            self._refused(frame.message_id, Refused(frame.code, frame.description), "the CSMS refuses it")

    @property
    def _silent(self) -> bool:
        """Rejected, a station of 1.6 answers nobody (1.6 BOOT-07)."""
        return self.standing is Standing.REJECTED and self.core.policies.silent_when_rejected

    def _answered(self, frame: CallResult) -> None:
        queued = self._settle(frame.message_id, True)
        if queued is None:
            return
        answer, transaction = self.dialect.answered(queued.told, bytes(frame.payload))
        if type(answer) is Refused:
            self._failed(queued, answer, f"{UNREADABLE}: {answer.description or answer.code}")
            return
        if transaction is not None:
            self.core.delivery.numbered(queued.told, transaction)
        self.outbox.done(queued)
        self._forget(queued)
        self._settled(queued, answer)

    def _settle(self, message_id: str, result: bool) -> Queued | None:
        """The message that is dealt with by this. Answers to unknown ids and late ones are ignored (1.6 J-11, J-14), but a
        late result for a record that would be sent again under that very id: a CSMS that takes longer than the message
        time-out has it all the same."""
        queued = self.rpc.settle(message_id)
        if queued is not None:
            self.core.deadlines.cancel(Due.CALL)
            return queued
        head = self.outbox.head
        if result and head is not None and head.message_id == message_id:
            return head
        self.core.note("info", "answer.unknown_id", 0, message_id)
        return None

    def _refused(self, message_id: str, why: Refused, how: str) -> None:
        queued = self._settle(message_id, False)
        if queued is not None:
            self._failed(queued, why, f"{how}: {why.code} {why.description}".rstrip())

    def _failed(self, queued: Queued, why: Refused | TimedOut, sentence: str) -> None:
        """A call came to nothing while connected. Values that a CSMS does not know what to do with would hold up the stop behind them."""
        core, settings = self.core, self.core.settings
        told, detail = queued.told, why.code if isinstance(why, Refused) else "no answer"
        core.note("warning", "call.failed", 0, self.dialect.action_of(told) or type(told).__name__, sentence)
        new_id = self.new_id() if isinstance(why, Refused) and queued.durable else None
        unwanted = detail in UNKNOWN and isinstance(told, TransactionTold) and told.kind == "updated"
        most = 1 if unwanted else settings.transaction_attempts
        gone = self.outbox.failed(queued, core.now.mono_ns, most, settings.transaction_retry_s * core.real, new_id)
        if queued.durable:
            core.delivery.attempted(queued, gone, detail)
        if gone:
            self._settled(queued, why)

    def call_late(self) -> None:
        queued, self.rpc.out = self.rpc.out, None
        if queued is not None:
            self._failed(queued, TimedOut(), "no answer")

    def _settled(self, queued: Queued, answer: AnyAnswer) -> None:
        """Tell the block that the message is dealt with, one way or the other."""
        core, told = self.core, queued.told
        match told:
            case TransactionTold():
                core.transactions.answered(told, answer)
            case Authorize():
                core.authorization.answered(told, answer)
            case Register():
                core.provisioning.registered(answer)
            case AskTime():
                core.provisioning.time_told(answer)
            case StatusChanged():
                core.availability.answered(told, answer)
            case MeterTold():
                pass
            case _:
                pass
        core.provisioning.progress()

    def _forget(self, queued: Queued) -> None:
        if queued.durable:
            self.core.delivery.delivered(queued)

    # --- the CSMS's calls ---

    def _called(self, call: Call) -> None:
        if self._silent:
            return
        if not self.rpc.take(call):
            self._send(error(call.message_id, "InternalError", "too many calls at once"))
            return
        self._work()

    def _work(self) -> None:
        """Take up the peer's next call, unless one is being worked on."""
        while self.rpc.asked is None and self.rpc.waiting:
            call = self.rpc.waiting.pop(0)
            command = self.dialect.command(call.action, bytes(call.payload), self.about)
            if isinstance(command, CallRefused):
                self._send(error(call.message_id, command.code, command.description))
                continue
            if isinstance(command, Answered):
                self._send(result(call.message_id, command.payload))
                continue
            ticket = self.core.ticket()
            self.rpc.asked = Asked(call.message_id, call.action, ticket, command)
            seconds = max(self.core.settings.message_timeout_s * ASK_SHARE, ASK_LEAST_S)
            self.core.after(Due.ASK, seconds * self.core.real)
            self.core.ask(Ask(ticket, Origin.CSMS, command))

    def answer(self, ticket: Ticket, outcome: AnyOutcome, tell: bool) -> bool:
        """Answer the CSMS's call with this ticket. False: it is not the CSMS's, or its connection is gone."""
        asked = self.rpc.asked
        if asked is None or asked.ticket != ticket:
            return ticket > 0  # positive tickets are all ours; this one's asker has left
        payload = self.dialect.outcome(asked.command, outcome, self.about)
        self.rpc.asked = None
        self.core.deadlines.cancel(Due.ASK)
        self._send(result(asked.message_id, payload), ticket if tell else None)
        return True

    def ask_late(self) -> None:
        if self.rpc.asked is not None:
            self.core.note("warning", "ask.late", 0, self.rpc.asked.action)
            self.answer(self.rpc.asked.ticket, TimedOut(), False)

    # --- frames out ---

    def new_id(self) -> str:
        self.counter += 1
        return f"{self.core.boot.nonce}-{self.counter}"

    def put(self, told: Told) -> Queued:
        """Queue a message; it leaves at the end of this step if nothing stands before it."""
        queued = self.outbox.put(told, self.new_id())
        queued.triggered = self.triggering
        return queued

    def pump(self) -> None:
        """Send what may be sent: one call at a time, and none while a call of the CSMS waits for its answer."""
        if not self.up:
            return
        self._work()
        if self.rpc.asked is not None:
            return
        while self.rpc.out is None:
            core = self.core
            queued = self.outbox.next(
                core.now.mono_ns, self.standing is Standing.ACCEPTED, self.standing is Standing.PENDING
            )
            if queued is None:
                retry_at = self.outbox.retry_at
                if retry_at is not None and retry_at > core.now.mono_ns:
                    core.deadlines.set(Due.RETRY, retry_at)
                return
            self._call(queued)

    def _call(self, queued: Queued) -> None:
        core = self.core
        message = self.dialect.encode(queued.told, self.about)
        if message is None:  # this language has no message for it
            self.outbox.done(queued)
            self._forget(queued)
            return
        self._send(self.rpc.call(queued, *message))
        core.after(Due.CALL, core.settings.message_timeout_s * core.real)

    def _send(self, frame: bytes, tell: int | None = None) -> None:
        self.core.emit(SendFrame(frame, tell))
