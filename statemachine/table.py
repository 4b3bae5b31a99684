"""Every state and transition of a slot, as data: the only importer of `transitions`, the only place that assigns a slot's state.

States are the eight base states of OCPP 1.6 §4.9 (faults lie over them, `faults.py`); the transitions are exactly those of its table
(rows A to H; row I, leaving Faulted, is the overlay being lifted). What each state means to people and to 2.x stands beside it.
Not here: when a transition is due. `slot.py` works that out from the facts and fires the trigger. `docs/reference/connector-states.md`
is made of this.
"""

from __future__ import annotations

from typing import Any, Final

from transitions import Machine, MachineError

from station.words.common import ChargingState, SlotStatus, Summary

_S = SlotStatus

# state -> (summary for people, 2.x connector status, 2.x charging state within a transaction)
MEANING: Final[dict[SlotStatus, tuple[Summary, str, ChargingState]]] = {
    _S.AVAILABLE: (Summary.AVAILABLE, "Available", ChargingState.IDLE),
    _S.PREPARING: (Summary.CHARGING, "Occupied", ChargingState.CONNECTED),
    _S.CHARGING: (Summary.CHARGING, "Occupied", ChargingState.CHARGING),
    _S.SUSPENDED_EV: (Summary.CHARGING, "Occupied", ChargingState.SUSPENDED_EV),
    _S.SUSPENDED_EVSE: (Summary.CHARGING, "Occupied", ChargingState.SUSPENDED_EVSE),
    _S.FINISHING: (Summary.FULL, "Occupied", ChargingState.CONNECTED),
    _S.RESERVED: (Summary.AVAILABLE, "Reserved", ChargingState.IDLE),
    _S.UNAVAILABLE: (Summary.FAULT, "Unavailable", ChargingState.IDLE),
    _S.FAULTED: (Summary.FAULT, "Faulted", ChargingState.IDLE),
}

# trigger -> (target, sources). The letters are rows, the digits columns of the specification's table.
TRIGGERS: Final[dict[str, tuple[SlotStatus, tuple[SlotStatus, ...]]]] = {
    # B1 C1 D1 E1 F1 G1 H1
    "release": (
        _S.AVAILABLE,
        (_S.PREPARING, _S.CHARGING, _S.SUSPENDED_EV, _S.SUSPENDED_EVSE, _S.FINISHING, _S.RESERVED, _S.UNAVAILABLE),
    ),
    "prepare": (_S.PREPARING, (_S.AVAILABLE, _S.FINISHING, _S.RESERVED, _S.UNAVAILABLE)),  # A2 F2 G2 H2
    "energise": (  # A3 B3 D3 E3 H3
        _S.CHARGING,
        (_S.AVAILABLE, _S.PREPARING, _S.SUSPENDED_EV, _S.SUSPENDED_EVSE, _S.UNAVAILABLE),
    ),
    "ev_suspends": (  # A4 B4 C4 E4 H4
        _S.SUSPENDED_EV,
        (_S.AVAILABLE, _S.PREPARING, _S.CHARGING, _S.SUSPENDED_EVSE, _S.UNAVAILABLE),
    ),
    "evse_suspends": (  # A5 B5 C5 D5 H5
        _S.SUSPENDED_EVSE,
        (_S.AVAILABLE, _S.PREPARING, _S.CHARGING, _S.SUSPENDED_EV, _S.UNAVAILABLE),
    ),
    "finish": (_S.FINISHING, (_S.PREPARING, _S.CHARGING, _S.SUSPENDED_EV, _S.SUSPENDED_EVSE)),  # B6 C6 D6 E6
    "reserve": (_S.RESERVED, (_S.AVAILABLE,)),  # A7
    "disable": (  # A8 C8 D8 E8 F8 G8
        _S.UNAVAILABLE,
        (_S.AVAILABLE, _S.CHARGING, _S.SUSPENDED_EV, _S.SUSPENDED_EVSE, _S.FINISHING, _S.RESERVED),
    ),
}
TRIGGER_TO: Final[dict[SlotStatus, str]] = {target: trigger for trigger, (target, _) in TRIGGERS.items()}

# A wanted change that the table does not have goes through a state in between, e.g. Finishing to Charging through Preparing.
VIA: Final[dict[tuple[SlotStatus, SlotStatus], SlotStatus]] = {
    (_S.FINISHING, _S.CHARGING): _S.PREPARING,
    (_S.FINISHING, _S.SUSPENDED_EV): _S.PREPARING,
    (_S.FINISHING, _S.SUSPENDED_EVSE): _S.PREPARING,
    (_S.PREPARING, _S.UNAVAILABLE): _S.AVAILABLE,
    (_S.PREPARING, _S.RESERVED): _S.AVAILABLE,
    (_S.CHARGING, _S.PREPARING): _S.FINISHING,
    (_S.SUSPENDED_EV, _S.PREPARING): _S.FINISHING,
    (_S.SUSPENDED_EVSE, _S.PREPARING): _S.FINISHING,
    (_S.AVAILABLE, _S.FINISHING): _S.PREPARING,
    (_S.UNAVAILABLE, _S.FINISHING): _S.PREPARING,
    (_S.UNAVAILABLE, _S.RESERVED): _S.AVAILABLE,
    (_S.RESERVED, _S.CHARGING): _S.PREPARING,
    (_S.RESERVED, _S.SUSPENDED_EV): _S.PREPARING,
    (_S.RESERVED, _S.SUSPENDED_EVSE): _S.PREPARING,
    (_S.RESERVED, _S.FINISHING): _S.PREPARING,
    (_S.CHARGING, _S.RESERVED): _S.AVAILABLE,
    (_S.SUSPENDED_EV, _S.RESERVED): _S.AVAILABLE,
    (_S.SUSPENDED_EVSE, _S.RESERVED): _S.AVAILABLE,
    (_S.FINISHING, _S.RESERVED): _S.AVAILABLE,
}


def _machine() -> Machine:
    machine = Machine(
        model=None, states=[s for s in _S if s is not _S.FAULTED], initial=_S.AVAILABLE, auto_transitions=False
    )
    for trigger, (target, sources) in TRIGGERS.items():
        machine.add_transition(trigger, list(sources), target)
    return machine


# One machine for all slots of all stations: a machine per slot would cost 51 KiB each.
_EVENTS: Final[dict[str, Any]] = _machine().events


class IllegalTransition(Exception):
    """The table has no such transition: a bug of ours, never the world's."""


def fire(slot: Any, trigger: str) -> None:
    """Move `slot.state` along one row of the table. Raises IllegalTransition."""
    try:
        _EVENTS[trigger].trigger(slot)
    except MachineError as error:
        raise IllegalTransition(str(error)) from None


def path(source: SlotStatus, target: SlotStatus) -> list[str]:
    """The triggers that lead from one base state to another, one or two long; empty when they are the same."""
    if source is target:
        return []
    step = VIA.get((source, target))
    if step is None:
        return [TRIGGER_TO[target]]
    return [TRIGGER_TO[step], TRIGGER_TO[target]]
