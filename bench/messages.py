"""The few OCPP 1.6 messages of the bench as typed structs: what the bare row and the bench's CSMS speak.

Not the station's wire types, on purpose: the bench checks the station with something of its own.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

CALL: Final = 2
CALL_RESULT: Final = 3
CALL_ERROR: Final = 4

Text20: TypeAlias = Annotated[str, Meta(max_length=20)]
Text25: TypeAlias = Annotated[str, Meta(max_length=25)]
Text50: TypeAlias = Annotated[str, Meta(max_length=50)]
Moment: TypeAlias = Annotated[datetime.datetime, Meta(tz=True)]
Context: TypeAlias = Literal[
    "Interruption.Begin",
    "Interruption.End",
    "Sample.Clock",
    "Sample.Periodic",
    "Transaction.Begin",
    "Transaction.End",
    "Trigger",
    "Other",
]
Measurand: TypeAlias = Literal[
    "Energy.Active.Export.Register",
    "Energy.Active.Import.Register",
    "Energy.Reactive.Export.Register",
    "Energy.Reactive.Import.Register",
    "Energy.Active.Export.Interval",
    "Energy.Active.Import.Interval",
    "Energy.Reactive.Export.Interval",
    "Energy.Reactive.Import.Interval",
    "Power.Active.Export",
    "Power.Active.Import",
    "Power.Offered",
    "Power.Reactive.Export",
    "Power.Reactive.Import",
    "Power.Factor",
    "Current.Import",
    "Current.Export",
    "Current.Offered",
    "Voltage",
    "Frequency",
    "Temperature",
    "SoC",
    "RPM",
]
Phase: TypeAlias = Literal["L1", "L2", "L3", "N", "L1-N", "L2-N", "L3-N", "L1-L2", "L2-L3", "L3-L1"]
Unit: TypeAlias = Literal[
    "Wh",
    "kWh",
    "varh",
    "kvarh",
    "W",
    "kW",
    "VA",
    "kVA",
    "var",
    "kvar",
    "A",
    "V",
    "K",
    "Celcius",
    "Celsius",
    "Fahrenheit",
    "Percent",
]


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Base of every payload: strict, immutable, absent is UNSET."""


class SampledValue(Part, frozen=True):
    value: str
    context: Context | UnsetType = UNSET
    format: Literal["Raw", "SignedData"] | UnsetType = UNSET
    measurand: Measurand | UnsetType = UNSET
    phase: Phase | UnsetType = UNSET
    location: Literal["Cable", "EV", "Inlet", "Outlet", "Body"] | UnsetType = UNSET
    unit: Unit | UnsetType = UNSET


class MeterValue(Part, frozen=True):
    timestamp: Moment
    sampledValue: Annotated[list[SampledValue], Meta(min_length=1)]


class MeterValues(Part, frozen=True):
    connectorId: int
    meterValue: Annotated[list[MeterValue], Meta(min_length=1)]
    transactionId: int | UnsetType = UNSET


class Heartbeat(Part, frozen=True):
    pass


class BootNotification(Part, frozen=True):
    chargePointVendor: Text20
    chargePointModel: Text20
    chargePointSerialNumber: Text25 | UnsetType = UNSET
    chargeBoxSerialNumber: Text25 | UnsetType = UNSET
    firmwareVersion: Text50 | UnsetType = UNSET
    iccid: Text20 | UnsetType = UNSET
    imsi: Text20 | UnsetType = UNSET
    meterType: Text25 | UnsetType = UNSET
    meterSerialNumber: Text25 | UnsetType = UNSET


class StatusNotification(Part, frozen=True):
    connectorId: int
    errorCode: str
    status: Literal[
        "Available",
        "Preparing",
        "Charging",
        "SuspendedEVSE",
        "SuspendedEV",
        "Finishing",
        "Reserved",
        "Unavailable",
        "Faulted",
    ]
    info: Text50 | UnsetType = UNSET
    timestamp: Moment | UnsetType = UNSET
    vendorId: str | UnsetType = UNSET
    vendorErrorCode: Text50 | UnsetType = UNSET


class Authorize(Part, frozen=True):
    idTag: Text20


class StartTransaction(Part, frozen=True):
    connectorId: int
    idTag: Text20
    meterStart: int
    timestamp: Moment
    reservationId: int | UnsetType = UNSET


class StopTransaction(Part, frozen=True):
    transactionId: int
    meterStop: int
    timestamp: Moment
    idTag: Text20 | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    transactionData: list[MeterValue] | UnsetType = UNSET


class MeterValuesResponse(Part, frozen=True):
    pass


class HeartbeatResponse(Part, frozen=True):
    currentTime: Moment


class BootNotificationResponse(Part, frozen=True):
    status: Literal["Accepted", "Pending", "Rejected"]
    currentTime: Moment
    interval: int


REQUESTS: Final[dict[str, type[Part]]] = {
    "MeterValues": MeterValues,
    "Heartbeat": Heartbeat,
    "BootNotification": BootNotification,
    "StatusNotification": StatusNotification,
    "Authorize": Authorize,
    "StartTransaction": StartTransaction,
    "StopTransaction": StopTransaction,
}

RESPONSES: Final[dict[str, type[Part]]] = {
    "MeterValues": MeterValuesResponse,
    "Heartbeat": HeartbeatResponse,
    "BootNotification": BootNotificationResponse,
}

IDENTITY: Final = BootNotification(
    chargePointVendor="Bench", chargePointModel="two-sockets-22kw", firmwareVersion="0.1.0"
)


def sampled(measurand: Measurand, unit: Unit, value: str, phase: Phase | UnsetType = UNSET) -> SampledValue:
    return SampledValue(value=value, context="Sample.Periodic", measurand=measurand, unit=unit, phase=phase)


# What is the same in every sample: seven of the eight values. Energy comes first and is new each time.
STEADY: Final = (
    sampled("Power.Active.Import", "W", "11040"),
    sampled("Current.Import", "A", "16.0", "L1"),
    sampled("Current.Import", "A", "16.0", "L2"),
    sampled("Current.Import", "A", "16.0", "L3"),
    sampled("Voltage", "V", "230.0", "L1-N"),
    sampled("Voltage", "V", "230.0", "L2-N"),
    sampled("Voltage", "V", "230.0", "L3-N"),
)


def sample(at: datetime.datetime, energy_wh: int, transaction_id: int = 1) -> MeterValues:
    """One MeterValues of the load, as a car that charges at 11 kW causes it."""
    energy = sampled("Energy.Active.Import.Register", "Wh", str(energy_wh))
    value = MeterValue(timestamp=at, sampledValue=[energy, *STEADY])
    return MeterValues(connectorId=1, transactionId=transaction_id, meterValue=[value])
