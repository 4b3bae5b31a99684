"""A bench for the oracle: a station that is made of literal frames, on pipes that only listen. No core, no link, no world."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import msgspec

from hal.units import SECOND
from sim.csms.oracle import Oracle
from sim.csms.oracle_books import moment_text
from sim.pipe import LATENCY_NS, Pipe
from sim.plan import AnyFault, CsmsFault, Plan
from sim.scheduler import START_UTC_MS, VirtualScheduler
from station.words.settings import TEMPLATES, Settings

STATION = "CP1"
CARD = "04A1B2C3"
ROUND_TRIP_S = 2 * LATENCY_NS / SECOND
BOOT = {"chargePointVendor": "somebody", "chargePointModel": "something"}

Frame = list[Any]


class Ear:
    """The station's end of a pipe: what the CSMS says is kept."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def say(self, frame: bytes) -> None:
        self.heard.append(frame)


class Bench:
    """A world without stations, and one station that is played by the test. `faults` are what the plan says."""

    def __init__(
        self,
        *faults: AnyFault,
        seed: int = 1,
        boot: bool = True,
        settings: Settings | None = None,
        oracle: Oracle | None = None,
    ) -> None:
        self.seed = seed
        self.plan = Plan(faults=faults)
        self.clock = VirtualScheduler()
        self.networks: dict[str, Any] = {}
        papers = SimpleNamespace(settings=settings or Settings(), shape=TEMPLATES["two-sockets-22kw"])
        self.units: dict[str, Any] = {STATION: SimpleNamespace(plan=papers)}
        self.oracle = oracle or Oracle()
        self.oracle.begin(self)
        self.calls = 0
        self.connect()
        if boot:
            self.boot()

    # --- as a world ---

    @property
    def true_utc_ms(self) -> int:
        return START_UTC_MS + self.clock.now().mono_ns // 1_000_000

    def later(self, seconds: float, call: Callable[..., None], *args: Any) -> None:
        self.clock.call_at(self.clock.now().mono_ns + round(seconds * SECOND), call, *args)

    def run(self, seconds: float) -> None:
        self.clock.run_for(seconds)

    # --- as a station ---

    def connect(self, reboot: bool = True) -> Pipe:
        """A new connection, after a boot or not."""
        if reboot:
            self.oracle.booted(STATION)
        self.ear = Ear()
        self.pipe = cast(Pipe, self.ear)
        self.oracle.opened(self.pipe, STATION)
        return self.pipe

    def disconnect(self) -> None:
        self.oracle.gone(self.pipe)

    def say(self, frame: str | Frame) -> list[Frame]:
        """This very frame goes out; what comes back at once."""
        before = len(self.ear.heard)
        self.oracle.received(self.pipe, frame if isinstance(frame, str) else msgspec.json.encode(frame).decode())
        return self.heard()[before:]

    def call(self, action: str, payload: dict[str, Any], number: str = "", pause_s: float = ROUND_TRIP_S) -> Any:
        """A CALL, as soon as it may be; the payload of its CALLRESULT, or else all that came back."""
        self.run(pause_s)
        self.calls += 1
        number = number or f"m{self.calls}"
        back = self.say([2, number, action, payload])
        return back[0][2] if back and len(back[0]) == 3 and back[0][:2] == [3, number] else back

    def heard(self) -> list[Frame]:
        """All that the CSMS said on this connection; what cannot be read as it is."""
        return [readable(frame) for frame in self.ear.heard]

    def asked(self, action: str = "") -> list[Frame]:
        """The CALLs of the CSMS on this connection."""
        return [frame for frame in self.heard() if frame[0] == 2 and action in ("", frame[2])]

    def at(self, seconds: float = 0) -> str:
        """The time so many seconds from now."""
        return moment_text(self.true_utc_ms + round(seconds * 1000))

    def boot(self, number: str = "") -> Any:
        return self.call("BootNotification", BOOT, number)

    def status(self, connector: int, status: str, error: str = "NoError", **more: Any) -> None:
        payload = {"connectorId": connector, "status": status, "errorCode": error, "timestamp": self.at(), **more}
        self.call("StatusNotification", payload)

    def start(self, connector: int = 1, meter: int = 100, number: str = "", **more: Any) -> int:
        """The transactionId."""
        payload = {"connectorId": connector, "idTag": CARD, "meterStart": meter, "timestamp": self.at(), **more}
        answer = self.call("StartTransaction", payload, number)
        return int(answer["transactionId"]) if isinstance(answer, dict) else -1

    def values(self, transaction: int, meter: float | str, connector: int = 1, at: str = "", **more: Any) -> None:
        one = {"timestamp": at or self.at(), "sampledValue": [{"value": str(meter), **more}]}
        self.call("MeterValues", {"connectorId": connector, "transactionId": transaction, "meterValue": [one]})

    def stop(self, transaction: int, meter: int, number: str = "", **more: Any) -> Any:
        payload = {"transactionId": transaction, "meterStop": meter, "timestamp": self.at(), **more}
        return self.call("StopTransaction", payload, number)

    # --- the CSMS ---

    def ask(self, action: str = "GetLocalListVersion", **payload: Any) -> str:
        return self.oracle.call(STATION, action, payload)

    def misbehave(self, how: Any, action: str = "", late_s: float = 10.0) -> CsmsFault:
        fault = CsmsFault(at_s=0, for_s=60, how=how, action=action, late_s=late_s)
        self.oracle.misbehave(STATION, fault)
        return fault

    def behave(self, fault: CsmsFault) -> None:
        self.oracle.behave(STATION, fault)

    @property
    def broken(self) -> list[str]:
        """The rules that were broken, in order."""
        return [violation.rule for violation in self.oracle.violations]


def readable(frame: bytes) -> Frame:
    try:
        found = msgspec.json.decode(frame)
    except msgspec.DecodeError:
        return ["unreadable", frame]
    return found if isinstance(found, list) and found else ["unreadable", frame]
