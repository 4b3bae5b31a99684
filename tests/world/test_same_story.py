"""The shell and the world tell the same story: one script, one seed, once over real sockets in hurried real time, once in virtual time.

What must agree: every frame both ways, every action of the board slot by slot, every event, in order. Times and energies may differ by what
a real machine is late; ids are drawn from a stream that another interleaving reads in another order, so only which is which is compared.
The CSMS is the same toy behind both. This is the one test here that needs real time. Not here: whether the story is right.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self, cast

import msgspec
import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from hal.actions import Action as BoardAction
from hal.actions import ReadMeter
from hal.units import MILLISECOND, SECOND
from ocpp_client.dialects.values import read_moment
from ocpp_client.link import LinkProfile
from sim.board import SimBoard
from sim.csms.toy import ToyCsms
from sim.pipe import Pipe
from sim.plan import AnyAction, Command, DriveOff, Plug, Tap, Unplug
from sim.profiles import PROFILES
from sim.rng import Stream
from sim.scheduler import START_UTC_MS
from sim.trace import Trace
from sim.vehicle import Vehicle
from sim.world import World
from station.core.effects import Effect, Input
from station.shell.host import Host
from station.shell.plan import Plan
from station.shell.runner import Unit
from station.words.common import Measurand
from station.words.settings import TEMPLATES, Settings
from tests.interop.stories.story import Lateness

CP: Final = "CP1"
SEED: Final = 7
SPEED: Final = 60
TEMPLATE: Final = "two-sockets-22kw"
TOO_LATE_S: Final = 0.1
SESSIONS: Final = 4  # of a story, at most: a register adds up what each began and ended late
WH_PER_S: Final = SESSIONS * 22_000 / 3600  # of the car at its fastest
HOPS_S: Final = (
    0.005  # what a tap takes from the reader by way of the CSMS to the contactor, beyond what the loop is late
)
DISK_S: Final = 0.2  # what waiting for a real disk adds to it
SETTINGS: Final = Settings(
    sampled=(Measurand.ENERGY_IMPORT,),
    sample_interval_s=30,
    ping_interval_s=0,
    backoff_min_s=1,
    backoff_random_s=0,
)
# Deeds are some ten seconds apart, so that a machine that is a little late does not turn them round.
ALICE, BOB, MALLORY = "04A1B2C3", "04D4E5F6", "04BADBAD"


class Cut(msgspec.Struct, frozen=True):
    """The link breaks, and no other comes about until it is mended."""

    at_s: float


class Mend(msgspec.Struct, frozen=True):
    at_s: float


Deed = AnyAction | Cut | Mend


DAY: Final[tuple[Deed, ...]] = (
    Plug(at_s=20, slot=1),
    Tap(at_s=30, card=ALICE),
    Tap(at_s=110, card=ALICE),
    Unplug(at_s=130, slot=1),
    Plug(at_s=140, slot=2),
    Tap(at_s=150, card=MALLORY),
    Tap(at_s=165, card=BOB),
    DriveOff(at_s=220, slot=2),  # while it charges
    Unplug(at_s=240, slot=2),
    Plug(at_s=250, slot=1),
    Tap(at_s=260, card=ALICE),
    Tap(at_s=290, card=ALICE),
    Command(
        at_s=320, action="Reset", payload={"type": "Soft"}
    ),  # not while it charges: too many things happen at once then
    Tap(at_s=345, card=BOB),
    Tap(at_s=380, card=BOB),
    Unplug(at_s=400, slot=1),
)
OFFLINE: Final[tuple[Deed, ...]] = (
    Plug(at_s=20, slot=1),
    Tap(at_s=30, card=ALICE),
    Tap(at_s=75, card=ALICE),
    Unplug(at_s=95, slot=1),
    Cut(at_s=110),  # attempts to connect again: a real second later, and two seconds after that
    Plug(at_s=120, slot=2),
    Tap(at_s=130, card=ALICE),  # known from before
    Plug(at_s=145, slot=1),
    Tap(at_s=155, card=MALLORY),  # known to nobody
    Tap(at_s=210, card=ALICE),
    Unplug(at_s=225, slot=2),
    Mend(at_s=250),
    Tap(at_s=310, card=BOB),
    Command(at_s=345, action="RemoteStopTransaction", payload={"transactionId": 3}),
    Unplug(at_s=365, slot=1),
)
REST_S: Final = 30.0  # after the last deed


def ends_s(script: tuple[Deed, ...]) -> float:
    return script[-1].at_s + REST_S


def do(deed: Deed, board: SimBoard, csms: ToyCsms, network: Callable[[bool], None]) -> None:
    """Each deed must succeed: a story in which a plug is stuck in both tellings tells nothing."""
    match deed:
        case Plug():
            assert board.plug(deed.slot, Vehicle(PROFILES[deed.car], deed.soc_percent * 10))
        case Tap():
            board.present(deed.card)
        case Unplug():
            assert board.unplug(deed.slot), f"{deed}: the plug is held"
        case DriveOff():
            assert board.drive_off(deed.slot)
        case Command():
            csms.call(CP, deed.action, deed.payload)
        case Cut() | Mend():
            network(isinstance(deed, Mend))
        case _:
            raise TypeError(deed)


# --- the two tellings ---


class Hurried(World):
    """A world whose stations are in a hurry too: they wait for networks and disks as those of the shell do, and a disk takes its time."""

    disk_ms = 0

    def add(self, unit: Unit) -> None:
        self.networks[unit.id].latency_ns = 5 * MILLISECOND
        if self.disk_ms:
            self.disks[unit.id].slow(3600 * SECOND, self.disk_ms)
        unit.plan = msgspec.structs.replace(unit.plan, real=SPEED)
        super().add(unit)


class WithDisk(Hurried):
    disk_ms = 10 * SPEED


def in_the_world(script: tuple[Deed, ...], on_disk: bool) -> Trace:
    world = (WithDisk if on_disk else Hurried)(SEED, template=TEMPLATE, settings=SETTINGS)
    world.csms.tokens[MALLORY] = {"status": "Blocked"}
    for deed in script:
        world.clock.call_at(int(deed.at_s * SECOND), do, deed, world.boards[CP], world.csms, world.network)
    world.run(ends_s(script))
    assert world.trace.bugs == []
    return world.trace


class Watched(Host):
    """A host that writes down what it tells the board, as the world does."""

    def _stepped(self, unit: Unit, item: Input | None, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, BoardAction) and type(effect) is not ReadMeter:
                cast(Trace, self.sinks).add(unit.id, "board", str(effect))


class Line:
    """What the toy takes for a pipe: a real connection."""

    def __init__(self, socket: ServerConnection) -> None:
        self._socket = socket
        self._sending: set[asyncio.Task[None]] = set()

    def say(self, frame: bytes) -> None:
        task = asyncio.create_task(self._send(frame.decode()))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(self, text: str) -> None:
        with suppress(ConnectionClosed):
            await self._socket.send(text)


class Door:
    """Where the toy CSMS listens. While it is shut nobody listens there, and who was inside is out."""

    def __init__(self, csms: ToyCsms) -> None:
        self._csms = csms
        self._inside: set[ServerConnection] = set()
        self._server: Server
        self._opening: asyncio.Task[None]
        self.port = 0

    async def __aenter__(self) -> Self:
        await self._listen()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    def network(self, there: bool) -> None:
        """As `World.network`."""
        if there:
            self._opening = asyncio.create_task(self._listen())
            return
        self._server.close(close_connections=False)
        for socket in self._inside:
            socket.transport.abort()

    async def _listen(self) -> None:
        protocols = [Subprotocol("ocpp1.6")]
        self._server = await serve(self._serve, "127.0.0.1", self.port, subprotocols=protocols)
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        line = cast(Pipe, Line(socket))
        self._inside.add(socket)
        self._csms.opened(line, socket.request.path.rpartition("/")[2])
        with suppress(ConnectionClosed):
            async for text in socket:
                self._csms.received(line, cast(str, text))
        self._inside.discard(socket)
        self._csms.gone(line)


async def in_the_shell(script: tuple[Deed, ...], store: str | None) -> tuple[Trace, float]:
    """What was told, and how late the machine was at worst, in real seconds."""
    wrong: list[BaseException] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: wrong.append(context["exception"]))
    shape = TEMPLATES[TEMPLATE]
    csms = ToyCsms(lambda: iso(host.clock.now().os_utc_ms))
    csms.tokens[MALLORY] = {"status": "Blocked"}
    async with Door(csms) as door, Lateness() as late:
        profile = LinkProfile(f"ws://127.0.0.1:{door.port}", CP, ("ocpp1.6",))
        host = Watched(cast(Any, None), lambda unit: profile, store=store, speed=SPEED, epoch_ms=START_UTC_MS)
        host.sinks = trace = Trace(host.clock)
        board = SimBoard(shape, seed=SEED)
        unit = Unit(CP, Plan(shape, SETTINGS, real=SPEED), board, Stream(SEED, "core", 0))
        unit.frames = True
        over = asyncio.Event()
        try:
            for deed in script:
                host.clock.call_at(int(deed.at_s * SECOND), do, deed, board, csms, door.network)
            host.clock.call_at(int(ends_s(script) * SECOND), over.set)
            host.add(unit)
            await asyncio.wait_for(over.wait(), 3 * ends_s(script) / SPEED)
        finally:
            await host.close()
    assert wrong == [] and trace.bugs == []
    return trace, late.worst_s


def iso(utc_ms: int) -> str:
    return datetime.fromtimestamp(utc_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- what is compared ---

UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT.*Z")
SECONDS: Final = ("durationS",)
ENERGIES: Final = ("meterStart", "meterStop", "value", "energyWh", "registerWh")


class Story:
    """What was told: `lanes`, where moments and energies are blanked out, and those in order, with what a second makes of them."""

    def __init__(self, trace: Trace) -> None:
        self.lanes: dict[str, list[Any]] = defaultdict(list)
        self.quantities: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self._names: dict[str, str] = {}
        asked: dict[str, str] = {}
        for line in trace.lines:
            if line.lane == "board" and not line.what.startswith("< "):  # what it says the shell does not write down
                self.lanes[f"board {line.what.partition('slot=')[2].partition(',')[0]}"].append(line.what)
            elif line.lane == "link":
                self._frame(line.what[:1], msgspec.json.decode(line.what[2:]), asked)
        for event in trace.events:
            self.lanes["events"].append([event.kind, self._plain("events", "", msgspec.json.decode(event.data))])

    def _frame(self, way: str, frame: list[Any], asked: dict[str, str]) -> None:
        lane = f"link {way}"
        if frame[0] == 2:
            asked[frame[1]] = frame[2]
        told = frame[3:] if frame[0] == 2 else frame[2:]
        self.lanes[lane].append([frame[0], asked[frame[1]], self._plain(lane, "", told)])

    def _plain(self, lane: str, key: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._plain(lane, name, one) for name, one in value.items()}
        if isinstance(value, list):
            return [self._plain(lane, key, one) for one in value]
        if key in ENERGIES:
            return self._lifted(lane, float(value), WH_PER_S)
        if key in SECONDS:
            return self._lifted(lane, float(value), 1.0)
        if isinstance(value, str) and UUID.fullmatch(value):
            return self._names.setdefault(value, f"id {len(self._names)}")
        if isinstance(value, str) and MOMENT.fullmatch(value):
            return self._lifted(lane, (read_moment(value) or 0) / 1000, 1.0)
        return value

    def _lifted(self, lane: str, number: float, per_s: float) -> str:
        self.quantities[lane].append((number, per_s))
        return "about"


def compare(one: Story, other: Story, apart_s: float) -> None:
    for lane in one.lanes.keys() | other.lanes.keys():
        assert one.lanes[lane] == other.lanes[lane], lane
        pairs = zip(one.quantities[lane], other.quantities[lane], strict=True)
        assert [(a, b) for (a, per_s), (b, _) in pairs if abs(a - b) > 1 + apart_s * per_s] == [], lane


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "on_disk"), [(DAY, False), (OFFLINE, True)], ids=("a day in memory", "offline on disk")
)
def test_the_shell_and_the_world_tell_the_same_story(script: tuple[Deed, ...], on_disk: bool, tmp_path: Path) -> None:
    world = Story(in_the_world(script, on_disk))
    for attempt in range(3):
        store = str(tmp_path / f"station-{attempt}.db") if on_disk else None
        trace, late_s = asyncio.run(in_the_shell(script, store))
        if late_s < TOO_LATE_S:
            break  # else this machine was busy with something else: what it told is no measure
    compare(world, Story(trace), SPEED * (2 * late_s + HOPS_S + (DISK_S if on_disk else 0.0)))
