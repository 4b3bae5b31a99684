"""The world: whole stations in virtual time on one heap, without asyncio, reproducible from a seed and a plan.

The unchanged core, link, board and vehicles; disks that forget what was not synced; pipes with a real WebSocket server at their far end; a
CSMS. Power may be cut between any two effects. `play` runs the plan, heals, and lets the world come to rest, under the eyes of checkers.
A library: no global state, no command line. Not here: faults (`faults.py`), promises (`checkers/`), drawing plans (`swarm.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from hal.actions import Offer, PermitPower, SetLock, ShowLight
from hal.signals import Signal
from hal.units import SECOND, MonoNs, UtcMs
from ocpp_client.link import FrameReceived, Link, LinkProfile
from sim import actions, faults
from sim.board import SimBoard
from sim.checkers import PENDING, Broken, Checker
from sim.clocks import OsClocks
from sim.csms.toy import ToyCsms
from sim.disk import Disks
from sim.lines import reported, said
from sim.pipe import Deliver, Network, Pipe
from sim.plan import AnyAction, AnyFault, Plan, PowerCut, Shape
from sim.rng import Stream
from sim.scheduler import START_UTC_MS, VirtualScheduler
from sim.trace import Trace
from station.core.core import StationCore
from station.core.effects import Effect, Input, SendFrame
from station.shell.plan import Plan as StationPlan
from station.shell.runner import PERFORM, Runner, Unit
from station.words.common import Measurand
from station.words.records import KeptRecord, SessionRecord
from station.words.settings import TEMPLATES, Settings, changed, parse

OUTAGE_NS: Final[MonoNs] = 30 * SECOND
MOMENT_NS: Final[MonoNs] = SECOND // 1000  # that a fault of no duration lasts
REST_S: Final = 4 * 3600.0  # within so long after healing nothing may be pending
LOOK_S: Final = 60.0
STARTS_S: Final = 2.0  # the operating system starts a program again so soon
FALLS_S: Final = 60.0  # which falls over again after so long, if it does
SHOWN: Final = frozenset((PermitPower, Offer, SetLock, ShowLight))  # what the board is told, in the trace


class PowerLost(Exception):
    """The supply is gone between two effects. Only the world raises and catches it."""


class World(Runner):
    """Stations, their boards, disks and networks, and a CSMS, under one seed. Time is virtual; `run` and `play` move it.

    `checkers` judge; the first broken promise raises `Broken` out of `run`. With `keep` False the trace keeps only its hash.
    """

    clock: VirtualScheduler
    csms: Any

    def __init__(
        self,
        seed: int = 1,
        plan: Plan | None = None,
        *,
        template: str = "two-sockets-22kw",
        settings: Settings | None = None,
        checkers: Sequence[Checker] = (),
        csms: Any = None,
        keep: bool = True,
        effects: bool = True,
    ) -> None:
        self.seed = seed
        self.plan = plan or Plan(shape=Shape(stations=(template,)))
        self.clock = VirtualScheduler(ties=Stream(seed, "ties"))
        self.os_clocks: OsClocks = OsClocks(self.clock)
        self.trace = Trace(self.clock, keep)
        super().__init__(self.clock, self._dial, self.trace)
        self.checkers = list(checkers)
        self._steppers = [c for c in self.checkers if type(c).stepped is not Checker.stepped]
        self._lookers = [c for c in self.checkers if type(c).looked is not Checker.looked]
        self._framers = [c for c in self.checkers if type(c).framed is not Checker.framed]
        self._effects = effects
        self._crashes = Stream(seed, "crashes")
        self._keys = Stream(seed, "keys")  # of WebSocket handshakes; the core's own chance is in its log
        self._cuts: dict[str, tuple[int, PowerCut]] = {}
        self.performed = 0
        self.injected = Counter[str]()  # faults that began, by `faults.way`
        self.standing: list[AnyFault] = []  # those that stand now, in the order in which they began
        self._healed = False
        self.cut_at: int | None = None
        self.outage_ns = OUTAGE_NS
        self.disks = Disks(self.clock, self.confirm)
        self.store = self.disks
        self.csms = csms if csms is not None else ToyCsms(self.iso_now)
        if csms is not None:
            csms.begin(self)
        self._booted: Callable[[str], None] | None = getattr(self.csms, "booted", None)
        self.boards: dict[str, SimBoard] = {}
        self.networks: dict[str, Network] = {}
        self._add_stations(settings)

    def _add_stations(self, settings: Settings | None) -> None:
        shape = self.plan.shape
        base = settings or Settings(sampled=(Measurand.ENERGY_IMPORT, Measurand.POWER_IMPORT))
        for name, text in shape.settings.items():
            base = changed(base, name, parse(name, text))
        for number, template in enumerate(shape.stations):
            identity = f"CP{number + 1}"
            board = SimBoard(TEMPLATES[template], seed=self.seed + number)
            self.boards[identity] = board
            self.networks[identity] = Network()
            plan = StationPlan(TEMPLATES[template], base, version=shape.version)
            unit = Unit(identity, plan, board, Stream(self.seed, "core", number))
            unit.frames = True
            self.add(unit)

    def unit_at(self, number: int) -> Unit | None:
        """The station of this number, from 0, or None."""
        return self.units.get(f"CP{number + 1}")

    # --- time ---

    @property
    def true_utc_ms(self) -> UtcMs:
        """What time it really is: what a sound CSMS says."""
        return START_UTC_MS + self.clock.mono_ns // 1_000_000

    def iso_now(self) -> str:
        at = datetime.fromtimestamp(self.true_utc_ms / 1000, UTC)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def later(self, seconds: float, call: Callable[..., None], *args: Any) -> None:
        self.clock.call_at(self.clock.now().mono_ns + int(seconds * SECOND), call, *args)

    def run(self, seconds: float) -> None:
        """Let time pass. Raises Broken."""
        end_ns = self.clock.now().mono_ns + round(seconds * SECOND)
        if not self._lookers:
            self.clock.run_until(end_ns)
            return
        while (next_ns := self.clock.next_ns) is not None and next_ns <= end_ns:
            self.clock.run_next()
            for checker in self._lookers:
                checker.looked(self)
        self.clock.run_until(end_ns)

    # --- a plan ---

    def play(self) -> None:
        """Run the whole plan; heal; come to rest; judge liveness. Raises Broken."""
        for action in self.plan.actions:
            self.clock.call_at(int(action.at_s * SECOND), self.act, action)
        for fault in self.plan.faults:
            self.clock.call_at(int(fault.at_s * SECOND), self._begin, fault)
            end_ns = int((fault.at_s + fault.for_s) * SECOND)
            self.clock.call_at(max(end_ns, int(fault.at_s * SECOND) + MOMENT_NS), self._end, fault)
        self.run(self.plan.for_s)
        self.heal()
        self.settle()

    def _begin(self, fault: AnyFault) -> None:
        if self._healed:
            return
        self.trace.add(f"CP{fault.station + 1}", "plan", f"{said(fault)} begins")
        if faults.begin(self, fault):
            self.injected[faults.way(fault)] += 1

    def _end(self, fault: AnyFault) -> None:
        if fault not in self.standing:
            return
        self.trace.add(f"CP{fault.station + 1}", "plan", f"{said(fault)} ends")
        faults.end(self, fault)

    def heal(self) -> None:
        """End every fault, whether its time has come or not; none begins any more."""
        self._healed = True
        for fault in (*self.standing,):
            self._end(fault)
        self._cuts.clear()
        for board in self.boards.values():
            board.release_emergency_stop()

    def settle(self) -> None:
        """People leave, operators acknowledge, and within a bounded time nothing may be pending. Raises Broken."""
        waited = 0.0
        while waited < REST_S:
            self.run(LOOK_S)
            waited += LOOK_S
            for board in self.boards.values():
                board.acknowledge(0)
                for slot in board.slots:
                    board.acknowledge(slot.number)
                    if not board.unplug(slot.number) and waited > REST_S / 8:
                        board.drive_off(slot.number)
            if waited == REST_S / 4:
                self._end_what_is_left()
            if waited > REST_S / 4 + LOOK_S and self.at_rest():
                break
        for checker in self.checkers:
            checker.settled(self)

    def _end_what_is_left(self) -> None:
        """The operator ends by hand what nobody came back for; and then the owners come, should the CSMS not know of it."""
        for transaction in self.csms.transactions.values():
            if transaction.meter_stop is None and self.csms.pipe(transaction.station) is not None:
                self.csms.call(transaction.station, "RemoteStopTransaction", {"transactionId": transaction.number})
        self.later(LOOK_S / 2, self._owners_come)

    def _owners_come(self) -> None:
        """Each shows the card once, for a card ends or opens one thing at a time; who has more here comes again."""
        again = False
        for identity, board in self.boards.items():
            image = self.disks[identity].durable(identity)
            rows = (*image.get("session", {}).values(), *image.get("kept", {}).values())
            cards = [r.token.uid for r in rows if isinstance(r, SessionRecord | KeptRecord) and r.token is not None]
            for card in dict.fromkeys(cards):
                board.present(card)
            again = again or len(set(cards)) < len(cards)
        if again:
            self.later(LOOK_S, self._owners_come)

    def at_rest(self) -> bool:
        """Nothing waits on any disk, no session runs, no plug is kept, no energy flows."""
        for identity, unit in self.units.items():
            image = self.disks[identity].durable(identity)
            if unit.core is None or any(image.get(kind) for kind in PENDING):
                return False
        return not any(slot.closed for board in self.boards.values() for slot in board.slots)

    def act(self, action: AnyAction) -> None:
        """Do what somebody does. What cannot be done now (no such slot, no connection) does nothing, as with people."""
        actions.act(self, action)

    # --- the network ---

    def _dial(self, unit: Unit, subprotocols: tuple[str, ...], deliver: Deliver) -> Pipe:
        ping_s = unit.core.settings.ping_interval_s if unit.core is not None else 0
        profile = LinkProfile("ws://csms/ocpp", unit.id, subprotocols, ping_interval_ns=ping_s * SECOND)
        link = Link(profile, lambda n: self._keys.draw(8 * n).to_bytes(n, "big"))
        return Pipe(link, deliver, self.clock, self.csms, self.networks[unit.id])

    def network(self, there: bool) -> None:
        """Plug the network of all stations in or out."""
        for network in self.networks.values():
            network.there = there
            if not there and network.pipe is not None:
                network.pipe.cut()

    # --- power ---

    def arm_cut(self, unit: Unit, fault: PowerCut) -> None:
        """Cut the power now, or before the so-manieth effect from now."""
        if fault.effect:
            self._cuts[unit.id] = (fault.effect, fault)
        else:
            self.cut_power(unit, fault)

    def cut_power(self, unit: Unit, fault: PowerCut | None = None) -> None:
        """The supply of a station is gone now, and comes back after the outage."""
        if unit.core is None:
            return
        self.trace.add(unit.id, "plan", "the power is cut")
        for checker in self.checkers:
            checker.cut(self, unit)
        self.halt(unit)
        self.boards[unit.id].stop()
        self.disks[unit.id].crash(self._keep, unit.id)
        unit.plan = msgspec.structs.replace(unit.plan, os_boot=f"after {self.clock.now().mono_ns}")
        outage_ns = self.outage_ns if fault is None else max(SECOND, int(fault.for_s * SECOND))
        self.clock.call_at(self.clock.now().mono_ns + outage_ns, self._power_back, unit, fault)

    def _power_back(self, unit: Unit, fault: PowerCut | None) -> None:
        if not self.os_clocks.back(unit):
            unit.plan = msgspec.structs.replace(unit.plan, os_trusted=False)
        self._reboot(unit)
        if fault is not None and fault.again:
            again = msgspec.structs.replace(fault, again=fault.again - 1, effect=0)
            self.later(0.5, self.cut_power, unit, again)

    def fall(self, unit: Unit, times: int = 1) -> None:
        """The program is gone, and what it had not written; the operating system starts it again. So many times in a row."""
        if unit.core is None:
            return
        self.trace.add(unit.id, "plan", "the program falls over")
        self.halt(unit)
        self.boards[unit.id].stop()
        self.disks[unit.id].crash(self._keep, unit.id)
        self.later(STARTS_S, self._reboot, unit)
        if times > 1:
            self.later(FALLS_S, self.fall, unit, times - 1)

    def _keep(self, waiting: int) -> int:
        """How many of the unsynced writes made it all the same: any prefix may."""
        return self._crashes.draw(16) % (waiting + 1)

    def on_cut(self, unit: Unit) -> None:
        """The counted effect has been reached."""
        self.cut_at = None
        _, fault = self._cuts.pop(unit.id, (0, None))
        self.cut_power(unit, fault)

    # --- the runner, watched ---

    def boot(self, unit: Unit) -> None:
        self.trace.add(unit.id, "station", "boots")
        if self._booted is not None:
            self._booted(unit.id)
        try:
            super().boot(unit)
        except PowerLost:
            self._busy = False
            self.on_cut(unit)

    def _step(self, unit: Unit, core: StationCore, item: Input) -> None:
        if self._framers and type(item) is FrameReceived:
            self._framed(unit, False, item.frame)
        if self._effects and isinstance(item, Signal):
            self.trace.add(unit.id, "board", reported(item))
        try:
            super()._step(unit, core, item)
        except PowerLost:
            self.on_cut(unit)

    def _stepped(self, unit: Unit, item: Input | None, effects: list[Effect]) -> None:
        for checker in self._steppers:
            if item is None:
                checker.booted(self, unit, effects)
            else:
                checker.stepped(self, unit, item, effects)

    def _perform_all(self, unit: Unit, effects: list[Effect]) -> None:
        generation = unit._generation
        for effect in effects:
            if unit._generation != generation:
                return  # a restart or a cut among them: the rest is gone with the core
            self.performed += 1
            if self._cuts or self.performed == self.cut_at:
                self._count(unit)
            kind = type(effect)
            if kind is SendFrame:
                if self._framers and unit.wire is not None:
                    self._framed(unit, True, effect.frame)  # type: ignore[union-attr]
            elif self._effects and kind in SHOWN:
                self.trace.add(unit.id, "board", str(effect))
            PERFORM[kind](self, unit, effect)

    def _count(self, unit: Unit) -> None:
        if self.performed == self.cut_at:
            raise PowerLost
        if unit.id in self._cuts:
            left, fault = self._cuts[unit.id]
            if left <= 1:
                raise PowerLost
            self._cuts[unit.id] = (left - 1, fault)

    def _framed(self, unit: Unit, out: bool, frame: str | bytes) -> None:
        try:
            decoded = msgspec.json.decode(frame, type=list[Any])
        except msgspec.DecodeError:  # or no message at all
            return
        for checker in self._framers:
            checker.framed(self, unit, out, decoded)


__all__ = ["Broken", "World"]
