"""Plans drawn from a seed. First a random *subset* of fault kinds is chosen, because all faults at once hide each other.

Not here: running them (`soak.py`), shrinking them (`shrink.py`), Hypothesis's plans (`tests/strategies.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sim import plan
from sim.misfortunes import (
    CARDS,
    CARS,
    a_slot,
    any_time,
    back_in_1970,
    fallen,
    how_long,
    in_the_act,
    near,
    operator,
    rare,
    refused_later,
    site_outage,
    slow_csms,
    unseen,
    with_a_key,
)
from sim.rng import Stream

TEMPLATES: Final = ("two-sockets-22kw", "two-sockets-22kw", "tethered-11kw")

Draw = Callable[[Stream, float, int], plan.AnyFault]


KINDS: Final[dict[str, Draw]] = {
    "reader": lambda s, at, n: plan.ReaderFault(
        at_s=at, for_s=how_long(s, 300), station=n, how=s.choice(("silent", "double", "garbled", "slow", "stuck"))
    ),
    "lock": lambda s, at, n: plan.LockFault(
        at_s=at, for_s=how_long(s, 600), station=n, slot=a_slot(s), how=s.choice(("jam", "half", "lies", "slow"))
    ),
    "contactor": lambda s, at, n: plan.ContactorFault(
        at_s=at, for_s=how_long(s, 600), station=n, slot=a_slot(s), how=s.choice(("welded", "stuck_open", "bounces"))
    ),
    "meter": lambda s, at, n: plan.MeterFault(
        at_s=at,
        for_s=how_long(s, 600),
        station=n,
        slot=a_slot(s),
        how=s.choice(("silent", "freeze", "spike", "backwards", "rollover", "nan", "swapped")),
    ),
    "lights": lambda s, at, n: plan.LightsFault(at_s=at, for_s=how_long(s, 600), station=n),
    "pilot": lambda s, at, n: plan.PilotFault(
        at_s=at, for_s=how_long(s, 120), station=n, slot=a_slot(s), how=s.choice(("E", "F", "diode"))
    ),
    "board": lambda s, at, n: plan.BoardFault(
        at_s=at,
        for_s=how_long(s, 300),
        station=n,
        slot=a_slot(s),
        cause=s.choice(("ground_fault", "temperature", "under_voltage", "over_voltage", "reader")),
    ),
    "vehicle": lambda s, at, n: plan.VehicleFault(
        at_s=at,
        for_s=how_long(s, 600),
        station=n,
        slot=a_slot(s),
        how=s.choice(("stalls", "overdraws")),
        over_a=s.uniform(4, 16),
    ),
    "clock": lambda s, at, n: plan.ClockFault(
        at_s=at, station=n, how=s.choice(("step", "1970")), by_s=float(s.uniform(0, 7200) - 3600)
    ),
    "disk": lambda s, at, n: plan.DiskFault(
        at_s=at,
        for_s=how_long(s, 120),
        station=n,
        how=s.choice(("slow", "full", "failing")),
        latency_ms=(300, 2500, 2500, 8000)[int(at * 10) % 4],  # more than the core waits for it, now and then
    ),
    "power_cut": lambda s, at, n: plan.PowerCut(
        at_s=at,
        for_s=how_long(s, 600),
        station=n,
        effect=s.uniform(1, 40) if s.chance(70) else 0,
        again=s.uniform(1, 4) if s.chance(15) else 0,
    ),
    "network": lambda s, at, n: plan.NetworkFault(
        at_s=at,
        for_s=how_long(s, 1200),
        station=n,
        how=s.choice(
            ("refuse", "stall", "half_open", "reset", "subprotocol", "401", "tls", "latency", "truncate", "fragments")
        ),
        latency_ms=s.uniform(100, 20_000),
    ),
    "csms": lambda s, at, n: plan.CsmsFault(
        at_s=at,
        for_s=how_long(s, 600),
        station=n,
        how=s.choice(
            (
                "silent",
                "late",
                "error",
                "malformed",
                "unknown_id",
                "pending",
                "rejected",
                "transaction_zero",
                "flood",
                "duplicate",
                "wrong_time",
            )
        ),
        action=s.choice(("", "", "Authorize", "StartTransaction", "StopTransaction", "MeterValues", "Heartbeat")),
        late_s=float(s.uniform(1, 40)),
    ),
}

COMMANDS: Final[tuple[tuple[str, dict[str, object]], ...]] = (
    ("RemoteStartTransaction", {"idTag": CARDS[0], "connectorId": 1}),
    ("RemoteStartTransaction", {"idTag": CARDS[1]}),
    ("RemoteStopTransaction", {"transactionId": "{transaction:1}"}),
    ("RemoteStopTransaction", {"transactionId": "{transaction:2}"}),
    ("UnlockConnector", {"connectorId": 1}),
    ("UnlockConnector", {"connectorId": 2}),
    ("Reset", {"type": "Soft"}),
    ("Reset", {"type": "Hard"}),
    ("ChangeAvailability", {"connectorId": 1, "type": "Inoperative"}),
    ("ChangeAvailability", {"connectorId": 1, "type": "Operative"}),
    ("ChangeAvailability", {"connectorId": 0, "type": "Inoperative"}),
    ("ChangeAvailability", {"connectorId": 0, "type": "Operative"}),
    ("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "30"}),
    ("ChangeConfiguration", {"key": "StopTransactionOnInvalidId", "value": "false"}),
    ("ChangeConfiguration", {"key": "StopTransactionOnEVSideDisconnect", "value": "false"}),
    ("ChangeConfiguration", {"key": "LocalPreAuthorize", "value": "true"}),
    ("ChangeConfiguration", {"key": "AllowOfflineTxForUnknownId", "value": "true"}),
    ("ChangeConfiguration", {"key": "ConnectionTimeOut", "value": "30"}),
    ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "35"}),
    ("GetConfiguration", {}),
    ("ClearCache", {}),
    ("TriggerMessage", {"requestedMessage": "MeterValues"}),
    ("TriggerMessage", {"requestedMessage": "StatusNotification"}),
    ("DataTransfer", {"vendorId": "nobody"}),
)


def draw(seed: int, *, quiet: bool = False) -> plan.Plan:
    """The plan of this seed; `quiet`: people and operators, no faults."""
    s = Stream(seed, "swarm")
    stations = 1 if s.chance(85) else 2
    shape = plan.Shape(
        stations=tuple(s.choice(TEMPLATES) for _ in range(stations)), settings=_settings(s), cards=CARDS[:3]
    )
    for_s = float(s.uniform(600, 5400))
    actions = [a for n in range(stations) for a in _people(s, n, for_s)]
    if s.chance(6):
        shape = _with(shape, stop_on_invalid="false", max_energy_on_invalid_wh="600")
        actions += refused_later(s, for_s)
    if Stream(seed, "resume").chance(8):
        shape = _with(shape, after_restart="resume")
    kinds = [] if quiet else _subset(s)
    faults: list[plan.AnyFault] = []
    for _ in range(s.uniform(1, 7) if kinds else 0):
        at = near(s, actions, for_s) if s.chance(40) else any_time(s, for_s)
        faults.append(KINDS[s.choice(kinds)](s, at, s.uniform(0, stations - 1)))
        if s.chance(15):  # two at once: the end of one must not be taken for the end of the other
            faults.append(KINDS[s.choice(kinds)](s, round(at + s.uniform(0, 30), 1), faults[-1].station))
    faults += unseen(Stream(seed, "lamps"), faults)
    faults += back_in_1970(Stream(seed, "battery"), faults)
    if not quiet:
        faults += rare(Stream(seed, "rare"), actions, for_s, stations)
    actions += operator(Stream(seed, "operator"), for_s, stations)
    if not quiet:
        faults += in_the_act(Stream(seed, "act"), actions)
        actions += with_a_key(Stream(seed, "key"), faults)
        fallen(Stream(seed, "fallen"), actions, faults, for_s)
    if not quiet and s.chance(20):
        if s.chance(50):  # and people charge all the same
            shape = _with(shape, allow_offline_unknown="true")
        faults += site_outage(s, near(s, actions, for_s), s.uniform(0, stations - 1))
    if not quiet and s.chance(15):
        faults.append(slow_csms(s, for_s))
        if Stream(seed, "aligned").chance(60):  # each answer that is late sets the clock back, perhaps over an instant
            shape = _with(shape, aligned_interval_s="60")
    actions += [_command(s, s.uniform(0, stations - 1), for_s) for _ in range(s.uniform(0, 4))]
    if s.chance(25):
        actions.append(
            plan.Cards(
                at_s=any_time(s, for_s), card=CARDS[s.uniform(0, 3)], status=s.choice(("Blocked", "Invalid", "Expired"))
            )
        )
    if s.chance(15):
        actions += [plan.Cards(at_s=0.0, card=card, group="FLEET") for card in CARDS if s.chance(60)]
    if s.chance(15):
        at = any_time(s, for_s)
        actions += [plan.PressStop(at_s=at), plan.ReleaseStop(at_s=at + s.uniform(5, 300))]
    return plan.Plan(for_s=for_s, shape=shape, actions=tuple(actions), faults=tuple(faults))


def _with(shape: plan.Shape, **settings: str) -> plan.Shape:
    return plan.Shape(stations=shape.stations, settings={**shape.settings, **settings}, cards=shape.cards)


def _subset(s: Stream) -> list[str]:
    kinds = [kind for kind in KINDS if s.chance(30)]
    return kinds or [s.choice(tuple(KINDS))]


def _settings(s: Stream) -> dict[str, str]:
    options: dict[str, tuple[str, ...]] = {
        "sample_interval_s": ("10", "60", "300"),
        "aligned_interval_s": ("900", "300", "60", "60"),
        "local_pre_authorize": ("false", "true"),
        "allow_offline_unknown": ("false", "true"),
        "stop_on_invalid": ("true", "false"),
        "stop_on_ev_disconnect": ("true", "false"),
        "unlock_on_ev_disconnect": ("true", "false"),
        "max_energy_on_invalid_wh": ("0", "200", "600"),
        "stop_sampled": ("", "Energy.Active.Import.Register"),
        "authorize_remote": ("false", "true"),
        "connection_timeout_s": ("60", "20"),
    }
    return {name: s.choice(values) for name, values in options.items() if s.chance(25)}


def _people(s: Stream, station: int, for_s: float) -> list[plan.AnyAction]:
    """Visits that make sense, and some that do not."""
    actions: list[plan.AnyAction] = []
    for _ in range(s.uniform(1, 4)):
        at, slot, card = any_time(s, for_s * 0.8), a_slot(s), s.choice(CARDS)
        car, soc = s.choice(CARS), s.choice((20, 50, 80, 98))
        stay = s.uniform(30, int(for_s))
        plug = plan.Plug(at_s=at, station=station, slot=slot, car=car, soc_percent=soc)
        pause = s.uniform(1, 90)
        tap = plan.Tap(at_s=at + pause, station=station, card=card)
        if s.chance(30):  # card first
            plug, tap = (
                plan.Plug(at_s=at + pause, station=station, slot=slot, car=car, soc_percent=soc),
                plan.Tap(at_s=at, station=station, card=card),
            )
        actions += [plug, tap]
        if s.chance(80):
            actions.append(plan.Tap(at_s=at + pause + stay, station=station, card=card))
        leave: plan.AnyAction = plan.Unplug(at_s=at + pause + stay + s.uniform(5, 60), station=station, slot=slot)
        if s.chance(20):
            leave = plan.DriveOff(at_s=at + pause + s.uniform(1, stay + 30), station=station, slot=slot)
        actions.append(leave)
    if s.chance(15):
        actions += _together(s, station, for_s)
    for _ in range(s.uniform(0, 3)):
        actions.append(plan.Tap(at_s=any_time(s, for_s), station=station, card=s.choice(CARDS)))
    return actions


def _together(s: Stream, station: int, for_s: float) -> list[plan.AnyAction]:
    """Two who are accepted before either has plugged in, one of them perhaps from afar and for a slot of its own."""
    at, slot = any_time(s, for_s * 0.8), a_slot(s)
    first: plan.AnyAction = plan.Tap(at_s=at, station=station, card=CARDS[0])
    if s.chance(50):
        payload: dict[str, object] = {"idTag": CARDS[0], "connectorId": slot}
        first = plan.Command(at_s=at, station=station, action="RemoteStartTransaction", payload=payload)
    second = plan.Tap(at_s=at + s.uniform(1, 10), station=station, card=CARDS[1])
    plugs = [
        plan.Plug(at_s=at + s.uniform(11, 50), station=station, slot=number, car=s.choice(CARS), soc_percent=50)
        for number in (slot, 3 - slot)
    ]
    return [first, second, *plugs]


def _command(s: Stream, station: int, for_s: float) -> plan.AnyAction:
    action, payload = s.choice(COMMANDS)
    return plan.Command(at_s=any_time(s, for_s), station=station, action=action, payload=dict(payload))
