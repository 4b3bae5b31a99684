"""What people, the operator and fate do in a story: one line, one deed.

    plug 1 [car]    tap CARD    unplug 1    drive_off 1    press_stop    cut_power    command Reset type=Soft -> Accepted

Not here: what comes of it.
"""

from __future__ import annotations

import asyncio
import shlex
from typing import Any

import msgspec

from hal.units import Cause, LockState
from sim.board import ReaderFault, SimBoard
from sim.csms.server import Csms
from sim.meter import MeterFault, MeterFaultKind
from sim.profiles import PROFILES
from sim.slot import ContactorFault, LockFault, PilotFault
from sim.vehicle import Vehicle
from station.shell.host import Host
from station.shell.runner import Unit

NUMBERS = ("connectorId", "transactionId")


class Deeds:
    def __init__(self, csms: Csms, host: Host, unit: Unit, board: SimBoard) -> None:
        self.csms, self.host, self.unit, self.board = csms, host, unit, board
        self._boots = 1

    async def do(self, line: str) -> None:
        """AssertionError if it cannot be done, or a command is answered otherwise than the line says."""
        word, *rest = shlex.split(line)
        answer = getattr(self, f"_{word}")(*rest)
        if asyncio.iscoroutine(answer):
            await answer

    # -- people ------------------------------------------------------------------------------------

    def _plug(self, slot: str, car: str = "model-3-lr", soc_permille: str = "200") -> None:
        assert self.board.plug(int(slot), Vehicle(PROFILES[car], int(soc_permille)))

    def _tap(self, card: str) -> None:
        self.board.present(card)

    def _unplug(self, slot: str) -> None:
        assert self.board.unplug(int(slot)), "the plug is held"

    def _pull(self, slot: str) -> None:
        """Pull at a plug that must not come out."""
        assert not self.board.unplug(int(slot)), "the plug came out"
        assert self.board.slot(int(slot)).lock is not LockState.OPEN

    def _drive_off(self, slot: str) -> None:
        assert self.board.drive_off(int(slot))

    def _press_stop(self) -> None:
        self.board.press_emergency_stop()

    def _release_stop(self) -> None:
        self.board.release_emergency_stop()

    def _acknowledge(self, slot: str = "0") -> None:
        self.board.acknowledge(int(slot))

    async def _wait(self, seconds: str) -> None:
        """Simulated seconds."""
        await asyncio.sleep(float(seconds) / self.host.speed)

    # -- fate --------------------------------------------------------------------------------------

    def _raise(self, slot: str, cause: str) -> None:
        self.board.raise_fault(int(slot), Cause(cause))

    def _clear(self, slot: str, cause: str) -> None:
        self.board.clear_fault(int(slot), Cause(cause))

    def _lock(self, slot: str, how: str) -> None:
        self.board.slot(int(slot)).lock_fault = None if how == "whole" else LockFault(how)

    def _contactor(self, slot: str, how: str) -> None:
        self.board.set_contactor_fault(int(slot), None if how == "whole" else ContactorFault(how))

    def _pilot(self, slot: str, how: str) -> None:
        self.board.set_pilot_fault(int(slot), None if how == "whole" else PilotFault(how))

    def _meter(self, slot: str, how: str) -> None:
        fault = None if how == "whole" else MeterFault(MeterFaultKind(how))
        self.board.slot(int(slot)).meter.set_fault(fault, self.host.scheduler.now().mono_ns)

    def _reader(self, how: str) -> None:
        self.board.set_reader_fault(None if how == "whole" else ReaderFault(how))

    def _lights(self, how: str) -> None:
        self.board.set_lights_dead(how == "dead")

    def _mains(self, volts: str) -> None:
        self.board.set_mains(int(volts) * 1000)

    def _car(self, slot: str, how: str) -> None:
        vehicle = self.board.slot(int(slot)).vehicle
        assert vehicle is not None
        vehicle.misbehave(overdraw_ma=8_000 if how == "overdraws" else 0, stalled=how == "stalls")

    def _cut_link(self) -> None:
        self.csms.behaviour.handshake = "404"
        self.csms.drop(self.unit.id)

    def _restore_link(self) -> None:
        self.csms.behaviour.handshake = "ok"

    def _cut_power(self) -> None:
        """All that was not on the disk is gone. Contactors fall open; locks stay as they are."""
        self.host.halt(self.unit)
        self.board.stop()

    def _restore_power(self) -> None:
        self._boots += 1
        self.unit.plan = msgspec.structs.replace(self.unit.plan, os_boot=f"boot {self._boots}")
        self.host.boot(self.unit)

    # -- the operator ------------------------------------------------------------------------------

    def _card(self, text: str) -> None:
        self.csms.behaviour.add_card(text)

    async def _command(self, action: str, *rest: str) -> None:
        """ACTION member=value ... [-> status]; `last` stands for the latest transaction's id."""
        wanted = rest[rest.index("->") + 1] if "->" in rest else ""
        members = rest[: rest.index("->")] if wanted else rest
        payload = {key: self._value(key, value) for key, _, value in (one.partition("=") for one in members)}
        answer = await self.csms.command(self.unit.id, action, payload=payload)
        assert not wanted or answer.get("status") in wanted.split("|"), f"{action} {payload}: {answer}"

    def _value(self, key: str, text: str) -> Any:
        if text == "last":
            return self.csms.books.transactions[-1].start.transaction
        return int(text) if key in NUMBERS else text
