"""Requests of a CSMS in 1.6, at least one of every action that this station has, and the commands that they are."""

from __future__ import annotations

from typing import Any, Final

from station.words import commands as ask
from station.words.common import Token, TokenKind

PROFILE: Final = {
    "chargingProfileId": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.1}]},
}
APP: Final = Token("app-4711", TokenKind.CENTRAL)


ACTIONS: dict[type, str] = {
    ask.StartSession: "RemoteStartTransaction",
    ask.StopSession: "RemoteStopTransaction",
    ask.UnlockSlot: "UnlockConnector",
    ask.ChangeSettings: "ChangeConfiguration",
    ask.ReadSettings: "GetConfiguration",
    ask.Reset: "Reset",
    ask.ChangeAvailability: "ChangeAvailability",
    ask.ClearCache: "ClearCache",
    ask.Trigger: "TriggerMessage",
    ask.VendorMessage: "DataTransfer",
}
COMMANDS: tuple[tuple[str, dict[str, Any], ask.AnyCommand], ...] = (
    ("RemoteStartTransaction", {"idTag": "app-4711"}, ask.StartSession(APP)),
    ("RemoteStartTransaction", {"idTag": "app-4711", "connectorId": 2}, ask.StartSession(APP, 2)),
    ("RemoteStartTransaction", {"idTag": "app-4711", "connectorId": 0}, ask.StartSession(APP, 0)),
    ("RemoteStartTransaction", {"idTag": "app-4711", "chargingProfile": PROFILE}, ask.StartSession(APP, profile="tx")),
    (
        "RemoteStartTransaction",
        {"idTag": "app-4711", "chargingProfile": {**PROFILE, "chargingProfilePurpose": "TxDefaultProfile"}},
        ask.StartSession(APP, profile="other"),
    ),
    ("RemoteStopTransaction", {"transactionId": 815}, ask.StopSession("7f0c9d52-41")),
    ("RemoteStopTransaction", {"transactionId": 816}, ask.StopSession(None)),
    ("UnlockConnector", {"connectorId": 1}, ask.UnlockSlot(1)),
    ("UnlockConnector", {"connectorId": -3}, ask.UnlockSlot(-3)),
    ("Reset", {"type": "Hard"}, ask.Reset(hard=True)),
    ("Reset", {"type": "Soft"}, ask.Reset(hard=False)),
    ("ChangeAvailability", {"connectorId": 0, "type": "Operative"}, ask.ChangeAvailability(0, True)),
    ("ChangeAvailability", {"connectorId": 2, "type": "Inoperative"}, ask.ChangeAvailability(2, False)),
    ("ClearCache", {}, ask.ClearCache()),
    ("TriggerMessage", {"requestedMessage": "StatusNotification"}, ask.Trigger("status")),
    ("TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 0}, ask.Trigger("meter", 0)),
    ("TriggerMessage", {"requestedMessage": "Heartbeat"}, ask.Trigger("heartbeat")),
    ("TriggerMessage", {"requestedMessage": "FirmwareStatusNotification"}, ask.Trigger(None)),
    ("DataTransfer", {"vendorId": "a", "messageId": "b", "data": "c"}, ask.VendorMessage("a", "b", "c")),
    ("DataTransfer", {"vendorId": "a"}, ask.VendorMessage("a")),
    (
        "ChangeConfiguration",
        {"key": "HeartbeatInterval", "value": "60"},
        ask.ChangeSettings((("heartbeat_interval_s", "60"),)),
    ),
    ("GetConfiguration", {}, ask.ReadSettings()),
)
