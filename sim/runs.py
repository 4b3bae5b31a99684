"""One run of the world from a seed and a plan, and what came of it; and counterexamples, which are files.

A counterexample holds seed, plan, the broken promise in words, the marks reached, the last lines of the trace, and the input log of each
core, which reproduces the old story exactly even when the plan would tell another one today.
Not here: many runs (`soak.py`), pictures (`replay.py`).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from hal.clock import Now
from hal.marks import collect
from sim.checkers import Broken
from sim.checkers.all import every
from sim.csms.oracle import Oracle
from sim.plan import Plan
from sim.plan_check import Checking
from sim.plan_file import spelt
from sim.rng import Stream
from sim.world import World
from station.core.boot import BootInfo
from station.core.core import StationCore
from station.core.effects import Input
from station.shell.runner import Unit
from station.words.records import KINDS

TAIL = 60


class Outcome(msgspec.Struct):
    """What a run showed. `promise` is empty where none was broken; `faults` are those that began, by kind and how."""

    seed: int
    hours: float = 0.0  # simulated station-hours
    sessions: int = 0
    armed: dict[str, int] = {}
    marks: dict[str, int] = {}
    faults: dict[str, int] = {}
    promise: str = ""
    sentence: str = ""
    at_s: float = 0.0
    trace: str = ""  # its hash
    tail: list[str] = []


class Booted(msgspec.Struct, tag="boot"):
    """A core was restored from this image (kind -> key -> JSON), with this much of its stream of chance drawn."""

    now: Now
    boot: BootInfo
    image: dict[str, dict[str, msgspec.Raw]]
    drawn: int


class Given(msgspec.Struct, tag="input"):
    now: Now
    item: Input


class Counterexample(msgspec.Struct):
    """A failing run as a file."""

    seed: int
    plan: Plan
    promise: str
    sentence: str
    at_s: float
    marks: list[str]
    tail: list[str]
    logs: dict[str, list[Booted | Given]] = {}
    effects: dict[str, str] = {}  # station -> hash of all effects of its cores

    @property
    def name(self) -> str:
        return hashlib.sha256(msgspec.json.encode([self.seed, self.plan])).hexdigest()[:12]


class RecordingWorld(World):
    """A world that writes down every input of every core, and hashes every effect."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.logs: dict[str, list[Booted | Given]] = {}
        self.hashes: dict[str, Any] = {}
        super().__init__(*args, **options)

    def boot(self, unit: Unit) -> None:
        drawn = unit.rng.counter if isinstance(unit.rng, Stream) else 0
        image = self.disks[unit.id].durable(unit.id)
        raw = {k: {key: msgspec.Raw(msgspec.json.encode(b)) for key, b in rows.items()} for k, rows in image.items()}
        boot = BootInfo(unit.plan.os_boot, unit.plan.os_trusted)
        self.logs.setdefault(unit.id, []).append(Booted(unit.now(), boot, raw, drawn))
        super().boot(unit)

    def _stepped(self, unit: Unit, item: Input | None, effects: list[Any]) -> None:
        if item is not None:
            self.logs[unit.id].append(Given(unit.now(), item))
        digest = self.hashes.setdefault(unit.id, hashlib.sha256())
        digest.update(msgspec.json.encode(effects))
        super()._stepped(unit, item, effects)


def run(
    seed: int, plan: Plan, *, keep: bool = False, world: Callable[..., World] = World
) -> tuple[Outcome, World | None]:
    """Play the plan under all checkers. Never raises for what the station does: it is in the outcome."""
    outcome = Outcome(seed)
    marks: Counter[str] = Counter()
    made: World | None = None
    collect(lambda name: marks.update((name,)))
    checkers = every()
    try:
        made = world(seed, plan, checkers=checkers, csms=Oracle(seed), keep=keep, effects=keep)
        made.play()
    except Broken as broken:
        outcome.promise, outcome.sentence, outcome.at_s = broken.promise, broken.sentence, broken.at_ns / 1e9
    finally:
        collect(None)
    outcome.armed = {checker.name: checker.armed for checker in checkers}
    outcome.marks = dict(marks)
    if made is not None:
        outcome.hours = made.clock.now().mono_ns / 3.6e12 * len(made.units)
        outcome.sessions = len(made.csms.transactions)
        outcome.faults = dict(made.injected)
        outcome.trace = made.trace.hash
        outcome.tail = [str(line) for line in made.trace.lines[-TAIL:]]
        if made.trace.bugs and not outcome.promise:
            outcome.promise, outcome.sentence = "nothing raises", repr(made.trace.bugs[0])
    return outcome, made


def breaks(seed: int, promise: str) -> Callable[[Plan], bool]:
    """Whether a plan breaks this promise under this seed: what shrinking asks."""

    def fails(plan: Plan) -> bool:
        return run(seed, plan)[0].promise == promise

    return fails


def counterexample(seed: int, plan: Plan) -> Counterexample:
    """Run once more with everything written down."""
    outcome, world = run(seed, plan, keep=True, world=RecordingWorld)
    logs, effects = {}, {}
    if isinstance(world, RecordingWorld):
        logs = world.logs
        effects = {unit: digest.hexdigest() for unit, digest in world.hashes.items()}
    return Counterexample(
        seed, plan, outcome.promise, outcome.sentence, outcome.at_s, sorted(outcome.marks), outcome.tail, logs, effects
    )


def save(example: Counterexample, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{example.name}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(example), indent=1))
    return path


def load(path: Path) -> Counterexample:
    """Raises OSError, and ValueError for a file that is none or names what is not there."""
    example = msgspec.json.decode(path.read_bytes(), type=Counterexample)
    wrong: list[str] = []
    Checking(example.plan, lambda place, what, level: wrong.append(f"{spelt(place)}: {what}")).names()
    if wrong:
        raise ValueError(wrong[0])
    return example


def replay_log(example: Counterexample, station: str) -> str:
    """Give a station's cores the inputs of old; the hash of their effects is `example.effects[station]` if nothing has changed.

    Raises ValueError for a log that this version cannot read, and whatever a core makes of what was meant for another.
    """
    if station not in example.logs:
        raise ValueError("there is none")
    number = int(station[2:]) - 1
    digest = hashlib.sha256()
    core: StationCore | None = None
    made = World(example.seed, example.plan)
    unit = made.units[station]
    for entry in example.logs[station]:
        if isinstance(entry, Booted):
            image = {
                k: {key: msgspec.json.decode(b, type=KINDS[k]) for key, b in rows.items()}
                for k, rows in entry.image.items()
            }
            stream = Stream(example.seed, "core", number)
            stream.counter = entry.drawn
            boot = msgspec.structs.replace(entry.boot, nonce=f"{stream.draw(32):08x}")
            policies = made.units[station].core.policies  # type: ignore[union-attr]
            core, effects = StationCore.restore(
                unit.plan.shape, station, unit.plan.settings, image, boot, policies, entry.now, stream, unit.plan.real
            )
        else:
            if core is None:
                raise ValueError("it does not begin with a boot")
            effects = core.step(entry.now, entry.item)
        digest.update(msgspec.json.encode(effects))
    return digest.hexdigest()
