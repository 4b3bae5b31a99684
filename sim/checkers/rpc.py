"""Calls and answers (OCPP-J §§4.1, 4.2; world.md): turns, order, exactly one answer; and that nobody waits behind a queue.

Judged on frames of one connection; what a lost connection leaves open is excused, and so is the silence of a station that the CSMS has
rejected (1.6 §4.2). Not here: what the frames say (`frames`).
"""

from __future__ import annotations

from typing import Any, Final

from hal.signals import CardPresented
from hal.units import SECOND, MonoNs
from ocpp_client.link import LinkDown, LinkUp
from sim.checkers.excuses import broken
from sim.checkers.eyes import Promise
from sim.checkers.seen import Call, Payload
from sim.checkers.view import View
from sim.plan import CsmsFault, NetworkFault
from station.core.effects import Answer, Ask

DAY_S: Final = 86_400
ASK_S: Final = 330.0
LATE_S: Final = 120.0  # what waits before a Heartbeat goes first


class OneOut(Promise):
    """One own call is out at a time, until it is answered or its time is over."""

    name = "one own call at a time"

    def sent_any(self, view: View, call: Call) -> None:
        self.armed += 1
        if view.out is not None and view.now_ns < view.out.until_ns:
            raise self.fail(view, f"{call.action} {call.id} left while {view.out.action} {view.out.id} was unanswered")


class TheirsFirst(Promise):
    """No own call leaves while a call of the CSMS waits for its answer, and no call of the CSMS waits longer than the message time-out,
    counted from when the one before it was answered. Armed with every call of the CSMS."""

    name = "calls of the CSMS come first"

    def asked_any(self, view: View, call: Call) -> None:
        self.armed += 1
        if view.standing == "Rejected":
            return
        view.expect(self._patience_s(view), lambda view: self._late(view, call))

    def sent_any(self, view: View, call: Call) -> None:
        if view.asked and view.standing != "Rejected":
            asked = view.asked[0]
            raise self.fail(view, f"{call.action} {call.id} left while {asked.action} {asked.id} was unanswered")

    def _patience_s(self, view: View) -> float:
        return (len(view.asked) + 1) * view.settings.message_timeout_s * view.unit.plan.real

    def _late(self, view: View, call: Call) -> None:
        if call in view.asked and view.standing != "Rejected":
            raise self.fail(
                view, f"{call.action} {call.id} has waited {(view.now_ns - call.at_ns) / 1e9:.0f} s for an answer"
            )


class AnsweredOnce(Promise):
    """Each call of the CSMS is answered exactly once, in order; a refusal may come out of turn."""

    name = "every call of the CSMS is answered once, in order"

    def asked_any(self, view: View, call: Call) -> None:
        self.armed += 1

    def replied_any(self, view: View, call: Call, payload: Payload | None) -> None:
        if not call.action:
            if payload is not None:
                raise self.fail(view, f"an answer to {call.id} left, which is no open call of the CSMS")
            return
        first = view.asked[0]
        if payload is not None and first is not call and view.standing != "Rejected":
            raise self.fail(view, f"{call.action} {call.id} was answered before {first.action} {first.id}")

    def ends(self, view: View) -> None:
        call = view.asked[0] if view.asked else None
        patience_ns = view.settings.message_timeout_s * SECOND * view.unit.plan.real
        if call is not None and view.standing != "Rejected" and view.now_ns - call.at_ns >= patience_ns:
            raise self.fail(view, f"{call.action} {call.id} was never answered")


class AskedOnce(Promise):
    """Every Ask from outside gets exactly one Answer, within five and a half minutes (a meter may take five after a boot), unless the core
    is gone before."""

    name = "every Ask is answered once"

    def __init__(self) -> None:
        super().__init__()
        self._open: dict[tuple[str, int], str] = {}

    def told_Ask(self, view: View, item: Ask) -> None:
        self.armed += 1
        where, what = (view.id, item.ticket), type(item.command).__name__
        self._open[where] = what

        def late(view: View) -> None:
            if where in self._open:
                raise self.fail(view, f"{what} was not answered within {ASK_S:.0f} s")

        view.expect(ASK_S, late)

    def did_Answer(self, view: View, effect: Answer) -> None:
        if self._open.pop((view.id, effect.ticket), None) is None:
            raise self.fail(view, f"an answer to ticket {effect.ticket}, which nobody asks with, or has had its answer")

    def stops(self, view: View, cut: bool) -> None:
        self._open = {where: what for where, what in self._open.items() if where[0] != view.id}

    def ends(self, view: View) -> None:
        left = [what for where, what in self._open.items() if where[0] == view.id]
        if left:
            raise self.fail(view, f"{left[0]} was never answered")


class PeopleFirst(Promise):
    """A card that was shown while the CSMS could be asked is asked for next, whatever else waits: no own call but a registration or
    another card's leaves between the tap and its Authorize. Armed with every Authorize that follows a tap."""

    name = "people come before records"

    def __init__(self) -> None:
        super().__init__()
        self._taps: dict[tuple[str, str], MonoNs] = {}
        self._sent: dict[str, MonoNs] = {}  # when something else left last

    def told_CardPresented(self, view: View, item: CardPresented) -> None:
        if view.card_taken and view.ready and view.online:
            self._taps[view.id, item.token.upper()] = view.now_ns

    def told_LinkDown(self, view: View, item: LinkDown) -> None:
        self._taps = {where: at for where, at in self._taps.items() if where[0] != view.id}

    def replied_RemoteStartTransaction(self, view: View, call: Call, payload: Payload | None) -> None:
        self._taps.pop((view.id, str(call.payload.get("idTag")).upper()), None)

    def sent_any(self, view: View, call: Call) -> None:
        if call.action == "Authorize":
            self._asked(view, call)
        elif call.action != "BootNotification":
            self._sent[view.id] = view.now_ns

    def _asked(self, view: View, call: Call) -> None:
        tapped_ns = self._taps.pop((view.id, str(call.payload.get("idTag")).upper()), None)
        if tapped_ns is None:
            return
        self.armed += 1
        sent_ns = self._sent.get(view.id, 0)
        if sent_ns > tapped_ns:
            late_s = (view.now_ns - tapped_ns) / SECOND
            raise self.fail(
                view, f"{call.payload.get('idTag')} was asked for {late_s:.1f} s after the tap, behind other calls"
            )


class Heard(Promise):
    """Whoever is connected and accepted sends a Heartbeat at the interval that BootNotification was answered with (1.6 §4.6), after a
    reconnection too. Armed with each interval. Not judged where the interval was changed, the CSMS was ill or the network slow."""

    name = "a heartbeat comes at its interval"

    def __init__(self) -> None:
        super().__init__()
        self._interval_s: dict[str, int] = {}
        self._heard: dict[str, MonoNs] = {}

    def answered_BootNotification(self, view: View, call: Call, payload: Payload) -> None:
        if payload["status"] == "Accepted":
            self._interval_s[view.id] = payload["interval"] or DAY_S
            self._again(view)

    def sent_Heartbeat(self, view: View, call: Call) -> None:
        self._again(view)

    def told_LinkUp(self, view: View, item: LinkUp) -> None:
        if view.standing == "Accepted":
            self._again(view)

    def _again(self, view: View) -> None:
        since_ns = self._heard[view.id] = view.now_ns
        interval_s = self._interval_s.get(view.id, DAY_S)

        def late(view: View) -> None:
            slow = broken(view, CsmsFault) or broken(view, NetworkFault, how="latency")
            if self._heard[view.id] != since_ns or not view.online or slow:
                return
            if view.settings.heartbeat_interval_s != view.unit.plan.settings.heartbeat_interval_s:
                return
            raise self.fail(
                view, f"{(view.now_ns - since_ns) / SECOND:.0f} s without a Heartbeat, every {interval_s} s"
            )

        self.armed += 1
        view.expect(interval_s + LATE_S, late)


RPC: Final[tuple[Any, ...]] = (OneOut, TheirsFirst, AnsweredOnce, AskedOnce, PeopleFirst, Heard)
