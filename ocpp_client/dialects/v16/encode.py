"""Facts and questions as requests of 1.6 (1.6 edition 2 §4). Answers to commands: `commands.py`.

Pure: a word, what was noted for its session, and how the station is built. Texts longer than 1.6 allows are cut.
"""

from __future__ import annotations

from typing import Final, assert_never, cast, get_args

from msgspec import UNSET, UnsetType

from ocpp_client.dialects.base import About, Told
from ocpp_client.dialects.v16.meter import meter_values
from ocpp_client.dialects.values import moment
from ocpp_client.wire import codec
from ocpp_client.wire import v16 as wire
from ocpp_client.wire.base import Wire
from station.words.common import Sample, SlotStatus, StopReason, wire_wh
from station.words.facts import MeterTold, StatusChanged, TransactionTold
from station.words.questions import AskTime, AskVendor, Authorize, Register

UNCONFIRMED: Final = -1
"""The transactionId of a transaction whose StartTransaction was never answered (errata)."""

ID_TAG_MAX: Final = 20

_EVENTS: Final = {"started": "StartTransaction", "updated": "MeterValues", "ended": "StopTransaction"}

_STATUSES: Final[dict[SlotStatus, wire.StatusNotificationStatus]] = {
    SlotStatus.AVAILABLE: "Available",
    SlotStatus.PREPARING: "Preparing",
    SlotStatus.CHARGING: "Charging",
    SlotStatus.SUSPENDED_EV: "SuspendedEV",
    SlotStatus.SUSPENDED_EVSE: "SuspendedEVSE",
    SlotStatus.FINISHING: "Finishing",
    SlotStatus.RESERVED: "Reserved",
    SlotStatus.UNAVAILABLE: "Unavailable",
    SlotStatus.FAULTED: "Faulted",
}
_ERRORS: Final[dict[str, wire.ErrorCode]] = {name: name for name in get_args(wire.ErrorCode)}

_REASONS: Final[dict[StopReason, wire.Reason]] = {
    StopReason.LOCAL: "Local",
    StopReason.REMOTE: "Remote",
    StopReason.DEAUTHORIZED: "DeAuthorized",
    StopReason.EV_DISCONNECTED: "EVDisconnected",
    StopReason.EMERGENCY_STOP: "EmergencyStop",
    StopReason.POWER_LOSS: "PowerLoss",
    StopReason.REBOOT: "Reboot",
    StopReason.SOFT_RESET: "SoftReset",
    StopReason.HARD_RESET: "HardReset",
    StopReason.UNLOCK: "UnlockCommand",
}
"""1.6 says Other of the rest."""


def action_of(told: Told) -> str:
    """1.6 has an action for every word, though not always something to say with it."""
    match told:
        case TransactionTold():
            return _EVENTS[told.kind]
        case MeterTold():
            return "MeterValues"
        case StatusChanged():
            return "StatusNotification"
        case AskTime():
            return "Heartbeat"
        case Authorize():
            return "Authorize"
        case Register():
            return "BootNotification"
        case AskVendor():
            return "DataTransfer"
        case _:
            assert_never(told)


def encode(told: Told, about: About) -> tuple[str, bytes] | None:
    """Action and payload; None for values of a meter when there are none."""
    message = _message(told, about)
    return None if message is None else (action_of(told), codec.encode(message))


def _message(told: Told, about: About) -> Wire | None:
    match told:
        case TransactionTold(kind="updated"):
            return _meter_values(told.slot, told.samples, about.transactions.get(told.session, UNCONFIRMED))
        case TransactionTold(kind="started"):
            return _start(told)
        case TransactionTold():
            return _stop(told, about.transactions.get(told.session, UNCONFIRMED))
        case MeterTold():
            noted = UNSET if told.session is None else about.transactions.get(told.session, UNSET)
            return _meter_values(told.slot, told.samples, noted)
        case StatusChanged():
            return _status(told, about)
        case AskTime():
            return wire.HeartbeatRequest()
        case Authorize():
            return wire.AuthorizeRequest(idTag=told.token.uid[:ID_TAG_MAX])
        case Register():
            return _boot(about)
        case AskVendor():
            return wire.DataTransferRequest(
                vendorId=told.vendor[:255], messageId=told.message[:50] or UNSET, data=told.data or UNSET
            )
        case _:
            assert_never(told)


def _boot(about: About) -> wire.BootNotificationRequest:
    return wire.BootNotificationRequest(
        chargePointVendor=about.shape.vendor[:20],
        chargePointModel=about.shape.model[:20],
        chargePointSerialNumber=about.serial[:25] or UNSET,
        firmwareVersion=about.shape.firmware[:50] or UNSET,
    )


def _status(told: StatusChanged, about: About) -> wire.StatusNotificationRequest:
    """An error that 1.6 has no name for is OtherError, and its own name goes into `info`.

    The time may be left out, and is, when it would be a guess.
    """
    trouble = told.trouble
    error = _ERRORS.get(trouble.error)
    return wire.StatusNotificationRequest(
        connectorId=told.slot,
        errorCode=error or "OtherError",
        status=_STATUSES[told.status],
        info=(trouble.info or ("" if error else trouble.error))[:50] or UNSET,
        timestamp=UNSET if told.at.boot else moment(told.at.utc_ms),
        vendorId=about.shape.vendor[:255] if trouble.vendor else UNSET,
        vendorErrorCode=trouble.vendor[:50] or UNSET,
    )


def _start(told: TransactionTold) -> wire.StartTransactionRequest:
    return wire.StartTransactionRequest(
        connectorId=told.slot,
        idTag=told.token.uid[:ID_TAG_MAX] if told.token else "",
        meterStart=wire_wh(told.register_mwh or 0),
        timestamp=moment(told.at.utc_ms),
        reservationId=UNSET if told.reservation is None else told.reservation,
    )


def _stop(told: TransactionTold, transaction: int) -> wire.StopTransactionRequest:
    """The idTag is that of a person who stopped it here: whatever else ended it, none is named.

    The items of transactionData are those of MeterValues; their schemas differ in a unit that Frequency does without.
    """
    by_person = told.token if told.stop in (None, StopReason.LOCAL) else None
    return wire.StopTransactionRequest(
        meterStop=wire_wh(told.register_mwh or 0),
        timestamp=moment(told.at.utc_ms),
        transactionId=transaction,
        idTag=by_person.uid[:ID_TAG_MAX] if by_person else UNSET,
        reason=UNSET if told.stop is None else _REASONS.get(told.stop, "Other"),
        transactionData=cast(list[wire.TransactionData], meter_values(told.samples)) or UNSET,
    )


def _meter_values(slot: int, samples: tuple[Sample, ...], transaction: int | UnsetType) -> Wire | None:
    values = cast(list[wire.MeterValue], meter_values(samples))
    return wire.MeterValuesRequest(connectorId=slot, meterValue=values, transactionId=transaction) if values else None
