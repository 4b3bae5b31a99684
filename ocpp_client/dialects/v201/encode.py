"""Facts and questions as requests of 2.0.1 (2.0.1 edition 3 part 2): BootNotification, Authorize, StatusNotification
and the three kinds of TransactionEvent. For other words there is no message here yet.

Pure: a word and how the station is built. Our session id is the transactionId, so nothing has to be noted.
"""

from __future__ import annotations

from typing import Final, assert_never, get_args

from msgspec import UNSET

from hal.units import Reading
from ocpp_client.dialects.base import About, Told
from ocpp_client.dialects.v201.meter import meter_values
from ocpp_client.dialects.values import moment
from ocpp_client.wire import codec
from ocpp_client.wire import v201 as wire
from ocpp_client.wire.base import Wire
from station.words.common import (
    BootReason,
    ChargingState,
    Context,
    Measurand,
    Sample,
    SlotStatus,
    StopReason,
    Token,
    TokenKind,
    Why,
)
from station.words.facts import MeterTold, StatusChanged, TransactionTold
from station.words.questions import AskTime, AskVendor, Authorize, Register

CONNECTOR: Final = 1
"""A slot is an EVSE with one connector."""

ID_TOKEN_MAX: Final = 36

_STATUSES: Final[dict[SlotStatus, wire.ConnectorStatusEnumType]] = {
    SlotStatus.AVAILABLE: "Available",
    SlotStatus.RESERVED: "Reserved",
    SlotStatus.UNAVAILABLE: "Unavailable",
    SlotStatus.FAULTED: "Faulted",
}
"""2.0.1 says Occupied of the rest."""

_STATES: Final[dict[ChargingState, wire.ChargingStateEnumType]] = {
    ChargingState.IDLE: "Idle",
    ChargingState.CONNECTED: "EVConnected",
    ChargingState.CHARGING: "Charging",
    ChargingState.SUSPENDED_EV: "SuspendedEV",
    ChargingState.SUSPENDED_EVSE: "SuspendedEVSE",
}
_TOKENS: Final[dict[TokenKind, wire.IdTokenEnumType]] = {
    TokenKind.ISO14443: "ISO14443",
    TokenKind.ISO15693: "ISO15693",
    TokenKind.CENTRAL: "Central",
    TokenKind.KEY_CODE: "KeyCode",
    TokenKind.LOCAL: "Local",
    TokenKind.NONE: "NoAuthorization",
}
_EVENTS: Final[dict[str, wire.TransactionEventEnumType]] = {
    "started": "Started",
    "updated": "Updated",
    "ended": "Ended",
}
_BOOTS: Final[dict[BootReason, wire.BootReasonEnumType]] = {
    reason: name for reason in BootReason for name in get_args(wire.BootReasonEnumType) if name == reason.value
}
_WHYS: Final[dict[Why, wire.TriggerReasonEnumType]] = {
    why: name for why in Why for name in get_args(wire.TriggerReasonEnumType) if name == why.value
}
"""Of these two the neutral words have the spelling of 2.x."""

_REASONS: Final[dict[StopReason, wire.ReasonEnumType]] = {
    StopReason.LOCAL: "Local",
    StopReason.REMOTE: "Remote",
    StopReason.DEAUTHORIZED: "DeAuthorized",
    StopReason.EV_DISCONNECTED: "EVDisconnected",
    StopReason.EMERGENCY_STOP: "EmergencyStop",
    StopReason.GROUND_FAULT: "GroundFault",
    StopReason.OVER_CURRENT: "OvercurrentFault",
    StopReason.POWER_QUALITY: "PowerQuality",
    StopReason.POWER_LOSS: "PowerLoss",
    StopReason.REBOOT: "Reboot",
    StopReason.SOFT_RESET: "ImmediateReset",
    StopReason.HARD_RESET: "ImmediateReset",
    StopReason.UNLOCK: "Remote",
    StopReason.TIMEOUT: "Timeout",
    StopReason.STOPPED_BY_EV: "StoppedByEV",
    StopReason.OTHER: "Other",
}


def action_of(told: Told) -> str | None:
    """None for what this dialect has no message for."""
    match told:
        case TransactionTold():
            return "TransactionEvent"
        case StatusChanged():
            return "StatusNotification" if told.slot else None  # what the station itself is, is for NotifyEvent
        case Register():
            return "BootNotification"
        case Authorize():
            return "Authorize"
        case MeterTold() | AskTime() | AskVendor():
            return None
        case _:
            assert_never(told)


def encode(told: Told, about: About) -> tuple[str, bytes] | None:
    """Action and payload; None for what this dialect has no message for."""
    action = action_of(told)
    message = _message(told, about) if action else None
    return (action, codec.encode(message)) if action and message else None


def _message(told: Told, about: About) -> Wire | None:
    match told:
        case TransactionTold():
            return _event(told)
        case StatusChanged():
            return _status(told)
        case Register():
            return _boot(told, about)
        case Authorize():
            return wire.AuthorizeRequest(idToken=_token(told.token))
        case MeterTold() | AskTime() | AskVendor():
            return None
        case _:
            assert_never(told)


def _boot(told: Register, about: About) -> wire.BootNotificationRequest:
    shape = about.shape
    return wire.BootNotificationRequest(
        reason=_BOOTS[told.reason],
        chargingStation=wire.ChargingStationType(
            model=shape.model[:20],
            vendorName=shape.vendor[:50],
            serialNumber=about.serial[:25] or UNSET,
            firmwareVersion=shape.firmware[:50] or UNSET,
        ),
    )


def _status(told: StatusChanged) -> wire.StatusNotificationRequest:
    """What is wrong with a slot does not fit in; that is for NotifyEvent."""
    return wire.StatusNotificationRequest(
        timestamp=moment(told.at.utc_ms),
        connectorStatus=_STATUSES.get(told.status, "Occupied"),
        evseId=told.slot,
        connectorId=CONNECTOR,
    )


def _token(token: Token) -> wire.IdTokenType:
    """Where nobody was asked who they are, there is no identifier either."""
    uid = "" if token.kind is TokenKind.NONE else token.uid[:ID_TOKEN_MAX]
    return wire.IdTokenType(idToken=uid, type=_TOKENS[token.kind])


def _event(told: TransactionTold) -> wire.TransactionEventRequest:
    return wire.TransactionEventRequest(
        eventType=_EVENTS[told.kind],
        timestamp=moment(told.at.utc_ms),
        triggerReason=_WHYS[told.why],
        seqNo=told.seq,
        transactionInfo=_transaction(told),
        meterValue=meter_values(told.samples or _register(told)) or UNSET,
        offline=told.offline or UNSET,
        reservationId=UNSET if told.reservation is None else told.reservation,
        evse=wire.EVSEType(id=told.slot, connectorId=CONNECTOR) if told.first_connected else UNSET,
        idToken=_token(told.token) if told.token else UNSET,
    )


def _register(told: TransactionTold) -> tuple[Sample, ...]:
    """A first or last event that brings no samples still tells its register."""
    if told.register_mwh is None:
        return ()
    context = {"started": Context.BEGIN, "ended": Context.END}.get(told.kind, Context.OTHER)
    return (Sample(told.at, context, Reading(told.register_mwh), (Measurand.ENERGY_IMPORT,)),)


def _transaction(told: TransactionTold) -> wire.TransactionType:
    return wire.TransactionType(
        transactionId=told.session,
        chargingState=_STATES[told.state],
        stoppedReason=UNSET if told.stop is None else _REASONS[told.stop],
        remoteStartId=UNSET if told.request is None else told.request,
    )
