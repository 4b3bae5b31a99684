"""A drill: `python -m tests.drills.kill --times 200` kills a station that charges, again and again, and looks into every book afterwards.

The station is `station run` with its real store; the CSMS with its books, the hardware with its meters and the people are in this process
and live on. SIGKILL comes at a drawn moment: so long after the boot, or right when the station permits power, tells a start or an end, or
answers a setting. Between kills the CSMS is sometimes out of reach. In the end nothing that was promised may be lost, nothing may have had
its effect twice, every Wh is billed once, and every session has ended in exactly one event.
A kill proves nothing about the disk, for the operating system lives on: that is `power.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import signal
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from sim.account import compare
from sim.csms.books import Event, Meter, Start, Stop, utc_ms
from sim.csms.control import CommandFailed
from sim.csms.server import Csms
from sim.meter import write_memories
from sim.profiles import PROFILES
from sim.vehicle import Vehicle
from station.adapters.cloudevents import CloudEvent, decode
from station.words.settings import TEMPLATES
from tests.drills.hardware import Hardware, announce

ROOT: Final = Path(__file__).parents[2]
CP: Final = "CP1"
KEY: Final = "ConnectionTimeOut"  # a setting that is changed all the time, and whose value nobody here needs
TEMPLATE: Final = "two-sockets-22kw"
CARDS: Final = ("04A1B2C3", "04D4E5F6")
TOML: Final = """
[station]
id = "{id}"
template = "{template}"
[csms]
url = "{url}"
[board]
driver = "wired"
socket = "{socket}"
[store]
file = "station.db"
[events]
file = "events.jsonl"
[settings]
sample_interval_s = 1
repeat_guard_ms = 0
backoff_min_s = 1
backoff_random_s = 0
"""
HARDWARE_SPEED: Final = 4  # ... as fast as the station's time, so that a second of charging comes to something
CAR: Final = msgspec.structs.replace(PROFILES["model-3-lr"], max_ma=7_000)  # so fast no more than the slot may deliver
MOMENTS: Final = (
    *("time", "time", "PermitPower", "SetLock", "ReadMeter", "PowerReported", "MeterRead"),
    *("start", "start", "meter", "stop", "stop", "setting"),
)
DELAYS_MS: Final = (0, 0, 0, 1, 3, 10, 50)  # after that moment
LONGEST_S: Final = 2.5  # a life, where the moment does not come
OFFLINE: Final = 0.2  # of the lives the CSMS is out of reach
TURNS_KEY_S: Final = (
    1.2  # so long after a boot the operator says that all is well: who falls over so often no longer trusts itself
)
WHAT: Final = "connector, card, Wh, register"
STUCK_S: Final = 20.0
SETTLES_S: Final = 60.0
COMMIT_MS: Final = (
    1_000  # values may be told so long before they are on the disk: the end after a kill may be as much earlier
)


class Drill:
    """One drill. `findings` are sentences; none means that all promises were kept."""

    def __init__(self, folder: Path, times: int, seed: int, tell: Callable[[str], None] = lambda line: None) -> None:
        self.folder, self.times, self.tell = folder, times, tell
        self.chance = random.Random(seed)
        self.findings: list[str] = []
        self.killed: Counter[str] = Counter()
        self.figures: dict[str, int] = {}
        self._seed = seed
        self._over = False
        self._booted = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._armed: tuple[str, int] | None = None
        self._kept = ""  # the setting's value that was accepted last ...
        self._maybe: set[str] = set()  # ... and those that were asked for since

    async def run(self) -> None:
        """Play it and judge it."""
        announce(self.folder)
        shape = TEMPLATES[TEMPLATE]
        self.hardware = Hardware(
            shape, self._seed, HARDWARE_SPEED, lambda one: self._at(type(one).__name__), self._boots
        )
        # The name of a socket has a hundred characters at most.
        with tempfile.TemporaryDirectory(prefix="wire-") as short:
            wire = Path(short) / "wire"
            await self.hardware.listen(wire)
            async with Csms(path=self.folder / "books.jsonl", listener=self._booking) as self.csms:
                text = TOML.format(id=CP, template=TEMPLATE, url=self.csms.url, socket=wire)
                (self.folder / "station.toml").write_text(text)
                await self._play()
            self.hardware.close()
        self.judge()

    async def _play(self) -> None:
        people = [asyncio.create_task(self._guests(slot.number)) for slot in self.hardware.board.slots]
        operator = asyncio.create_task(self._settings())
        try:
            for number in range(self.times):
                await self._life(number)
            self._over = True
            await self._last_life(people)
            if operator.done():
                operator.result()
        finally:
            for task in (*people, operator):
                task.cancel()
            if self._process is not None and self._process.returncode is None:
                self._process.kill()
                await self._process.wait()

    # --- the station's lives ---

    async def _begin(self) -> asyncio.subprocess.Process:
        self._booted.clear()
        path = os.pathsep.join((str(self.folder), str(ROOT)))
        with (self.folder / "station.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "station.cli", "run", str(self.folder / "station.toml"), "--json"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": path},
            )
        async with asyncio.timeout(STUCK_S):
            await self._booted.wait()
        return self._process

    async def _life(self, number: int) -> None:
        what, delay_ms = self.chance.choice(MOMENTS), self.chance.choice(DELAYS_MS)
        if what == "time":
            delay_ms = self.chance.randrange(0, 2500)
        offline = self.chance.random() < OFFLINE
        self.csms.behaviour.handshake = "404" if offline else "ok"
        process = await self._begin()
        if what == "time":
            self._strike("time", delay_ms)
        else:
            self._armed = what, delay_ms
        try:
            status = await asyncio.wait_for(process.wait(), LONGEST_S)
        except TimeoutError:
            self._armed = None
            self._strike("no such moment", 0)
            status = await process.wait()
        if status != -signal.SIGKILL:
            self.findings.append(f"the station ended by itself with status {status} in its life number {number + 1}")
        if (number + 1) % 20 == 0 or number + 1 == self.times:
            books = self.csms.books
            self.tell(f"{number + 1:4} kills, {len(books.transactions)} transactions, {len(books.open)} of them open")

    def _at(self, what: str) -> None:
        """Something happens; if it is what the killer waits for ..."""
        if self._armed is not None and self._armed[0] == what:
            (what, delay_ms), self._armed = self._armed, None
            self._strike(what, delay_ms)

    def _strike(self, what: str, delay_ms: int) -> None:
        self.killed[what] += 1
        if delay_ms:
            asyncio.get_running_loop().call_later(delay_ms / 1000, self._kill, self._process)
        else:
            self._kill(self._process)

    @staticmethod
    def _kill(process: asyncio.subprocess.Process | None) -> None:
        if process is not None and process.returncode is None:
            process.kill()

    def _booking(self, event: Event) -> None:
        match event:
            case Start() | Meter() | Stop():
                self._at(type(event).__name__.lower())
            case _:
                pass

    def _boots(self) -> None:
        self._booted.set()
        asyncio.get_running_loop().call_later(TURNS_KEY_S, self.hardware.board.acknowledge, 0)

    async def _last_life(self, people: list[asyncio.Task[None]]) -> None:
        """All is told, everybody leaves, and the station ends in good order."""
        self.csms.behaviour.handshake = "ok"
        process = await self._begin()
        await asyncio.wait_for(asyncio.gather(*people), SETTLES_S)
        with contextlib.suppress(TimeoutError):
            await self.csms.until(lambda books: not books.open, SETTLES_S)
        await asyncio.sleep(1.5)
        process.terminate()
        if status := await asyncio.wait_for(process.wait(), STUCK_S):
            self.findings.append(f"the last station ended with status {status}")

    # --- people ---

    async def _guests(self, slot: int) -> None:
        """One after the other they plug, tap or are started from afar, charge a little, and go."""
        chance, board = random.Random(self._seed * 100 + slot), self.hardware.board
        while not self._over:
            car = Vehicle(CAR, 300)
            if not self._booted.is_set() or not board.plug(slot, car):
                await asyncio.sleep(0.05)
                continue
            await asyncio.sleep(chance.uniform(0.0, 0.2))
            if chance.random() < 0.7:
                board.present(CARDS[slot - 1])
            else:
                await self._ask("RemoteStartTransaction", connectorId=slot, idTag=CARDS[slot - 1])
            await asyncio.sleep(chance.uniform(0.3, 4.0))
            await self._leave(slot, remote=chance.random() < 0.3)
            await asyncio.sleep(chance.uniform(0.0, 0.3))

    async def _leave(self, slot: int, remote: bool) -> None:
        board, clock = self.hardware.board, asyncio.get_running_loop().time
        since = tapped = clock()
        if remote:
            for one in (one for one in self.csms.books.open if one.start.connector == slot):
                await self._ask("RemoteStopTransaction", transactionId=one.start.transaction)
        while not board.unplug(slot):
            if clock() - tapped > 2.5:
                tapped = clock()
                board.present(CARDS[slot - 1])
            if clock() - since > STUCK_S:
                self.findings.append(f"the plug in slot {slot} is stuck")
                board.unplug(slot, force=True)
                return
            await asyncio.sleep(0.05)

    async def _settings(self) -> None:
        """What was accepted stays so, whatever happens."""
        chance, value = random.Random(self._seed * 100), 100
        while True:
            await asyncio.sleep(chance.uniform(0.05, 0.5))
            told = await self._ask("GetConfiguration", key=[KEY])
            if told is None:
                continue
            found = told["configurationKey"][0]["value"]
            if self._kept and found not in {self._kept, *self._maybe}:
                self.findings.append(f"{KEY} is {found}; accepted was {self._kept}, and asked for since {self._maybe}")
            value += 1
            self._maybe.add(str(value))
            answer = await self._ask("ChangeConfiguration", key=KEY, value=str(value))
            if answer is not None and answer["status"] == "Accepted":
                self._kept, self._maybe = str(value), set()
                self.figures["settings accepted"] = self.figures.get("settings accepted", 0) + 1
                self._at("setting")

    async def _ask(self, action: str, **payload: Any) -> dict[str, Any] | None:
        with contextlib.suppress(CommandFailed):
            return await self.csms.command(CP, action, payload=payload, timeout_s=2)
        return None

    # --- what is in the books ---

    def judge(self) -> None:
        books, memories = self.csms.books, self.hardware.board.memories(CP)
        write_memories(self.folder / "meters.json", memories)
        account = compare(books, memories)
        self.findings += [one for one in account.differences if not explained(one)]
        self.findings += [f"refused: {note.action} {note.answer} {note.detail}" for note in books.refused]
        self.figures |= {
            "kills": self.killed.total(),
            "boots told": books.counts["boot"],
            "transactions": account.sessions,
            "Wh": account.billed_wh,
            "times that power flowed": sum(
                one.end_mwh > one.start_mwh for memory in memories for one in memory.periods
            ),
            "frames told again": books.counts["repeat"],
        }
        self.judge_events()

    def judge_events(self) -> None:
        """At least once, under one id; a session ends in one event, and that says what the CSMS was told."""
        by_id: dict[str, list[CloudEvent]] = defaultdict(list)
        for line in (self.folder / "events.jsonl").read_bytes().splitlines():
            event = decode(line)
            by_id[event.id].append(msgspec.structs.replace(event, time=""))  # a time may be mended meanwhile
        for number, told in by_id.items():
            if any(one != told[0] for one in told):
                self.findings.append(f"two events have the id {number}")
        begun, ended = (
            [told[0].data for told in by_id.values() if told[0].kind == kind]
            for kind in ("session-started", "session-ended")
        )
        times = Counter(one["session"]["id"] for one in ended)
        self.findings += [f"session {one} ended in {count} events" for one, count in times.items() if count > 1]
        ran = {
            one["session"]["id"]: one for one in begun
        }  # these had power; others may have ended before their transaction began
        self.findings += [f"session {one} has no end" for one in ran if one not in times]
        billed = Counter(
            (one.start.connector, one.start.id_tag, one.wh or 0, one.stop.meter_stop_wh)
            for one in self.csms.books.transactions
            if one.stop is not None
        )
        spoken = Counter(map(_account, ended))
        charged = Counter(_account(one) for one in ended if one["session"]["id"] in ran or one["energyWh"])
        self.findings += [f"no event session-ended for {WHAT} {one}" for one in (billed - spoken).elements()]
        self.findings += [f"session-ended without a transaction: {WHAT} {one}" for one in (charged - billed).elements()]
        self.figures |= {"events": len(by_id), "events told again": sum(len(told) - 1 for told in by_id.values())}


def _account(ended: dict[str, Any]) -> tuple[int, str, int, int]:
    return ended["slotNumber"], ended["card"], ended["energyWh"], ended["registerWh"]


def explained(difference: str) -> bool:
    """A StopTransaction from the disk of a killed station, earlier than values that had been told but were not yet on it."""
    found = re.search(r"time-fell: StopTransaction at (\S+) after (\S+)$", difference)
    return found is not None and utc_ms(found[2]) - utc_ms(found[1]) <= COMMIT_MS


def main() -> int:
    """Exit status: 0 all promises were kept, 1 one was not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=200, metavar="N", help="so many kills (200)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="at which moments, and what people do (1)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the files there, which must be empty")
    args = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = args.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drill-")))
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            parser.error(f"--keep {folder}: this folder is not empty")

        async def play() -> Drill:
            drill = Drill(folder, args.times, args.seed, lambda line: print(line, flush=True))
            await drill.run()
            return drill

        drill = asyncio.run(play())
    print(json.dumps(drill.figures))
    print("killed at:", ", ".join(f"{what} {times}" for what, times in drill.killed.most_common()))
    for finding in drill.findings:
        print(f"BROKEN {finding}")
    print("every promise was kept" if not drill.findings else f"{len(drill.findings)} findings")
    return 1 if drill.findings else 0


if __name__ == "__main__":
    sys.exit(main())
