"""What the CSMS asks for in 1.6 as commands, and their outcomes as answers (1.6 edition 2 §5).

`profiles.py` says which actions this station has. GetConfiguration and ChangeConfiguration: `configuration.py`.
"""

from __future__ import annotations

from typing import Final, Literal, assert_never

import msgspec
from msgspec import UNSET, UnsetType

from ocpp_client.dialects.base import About, Answered, Asked, CallRefused
from ocpp_client.dialects.v16 import configuration
from ocpp_client.dialects.v16.profiles import ABSENT, BUILT, PROFILE_OF
from ocpp_client.wire import codec
from ocpp_client.wire import v16 as wire
from ocpp_client.wire.base import Wire
from ocpp_client.wire.refusal import refusal_code
from station.words import commands as ask
from station.words.common import SessionId, Token, TokenKind
from station.words.outcomes import AnyOutcome, UnlockOutcome, Verdict
from station.words.questions import VendorAnswer

_TRIGGERS: Final[dict[str, Literal["boot", "heartbeat", "meter", "status"]]] = {
    "BootNotification": "boot",
    "Heartbeat": "heartbeat",
    "MeterValues": "meter",
    "StatusNotification": "status",
}
_ABOUT_SLOTS: Final = ("meter", "status")  # to the others a connectorId means nothing

_UNLOCKED: Final[dict[str, wire.UnlockConnectorStatus]] = {
    "unlocked": "Unlocked",
    "failed": "UnlockFailed",
    "in_use": "UnlockFailed",  # does not occur: the policy of 1.6 ends the session
    "unsupported": "NotSupported",
    "unknown": "NotSupported",
}
_VENDOR: Final[dict[str, wire.DataTransferStatus]] = {
    "accepted": "Accepted",
    "rejected": "Rejected",
    "unknown_message": "UnknownMessageId",
    "unknown_vendor": "UnknownVendorId",
}


class _AnyTrigger(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A TriggerMessage whose `requestedMessage` may be one that 1.6 has never heard of."""

    requestedMessage: str
    connectorId: int | None = None


def command(action: str, payload: bytes, about: About) -> Asked:
    """The command in a CALL. What a profile that is not built is asked for, is refused or answered here."""
    profile = PROFILE_OF.get(action)
    if profile is None:
        if codec.knows("v16", action):
            return CallRefused("NotSupported", "a station sends this, and is not sent it")
        return CallRefused("NotImplemented", "no action of OCPP 1.6")
    if profile not in BUILT and action not in ABSENT:
        return CallRefused("NotSupported", f"this station has no {profile}")
    try:
        request = codec.decode("v16", action, "request", payload)
    except codec.BadPayload:
        return _refused(action, payload)
    if profile not in BUILT:
        return Answered(ABSENT[action])
    return _command(request, about)


def _refused(action: str, payload: bytes) -> ask.Trigger | CallRefused:
    """A message that cannot be triggered has its own status; it is no fault of the payload (§5.17)."""
    if action == "TriggerMessage":
        try:
            asked = msgspec.json.decode(payload, type=_AnyTrigger)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            pass
        else:
            if asked.requestedMessage not in _TRIGGERS:
                return ask.Trigger(None)
    return CallRefused(*refusal_code("v16", action, "request", payload))


def _command(request: Wire, about: About) -> Asked:
    match request:
        case wire.RemoteStartTransactionRequest():
            return _start(request)
        case wire.RemoteStopTransactionRequest():
            return ask.StopSession(_session(request.transactionId, about))
        case wire.UnlockConnectorRequest():
            return ask.UnlockSlot(request.connectorId)
        case wire.ChangeConfigurationRequest():
            return configuration.change(request, about.shape)
        case wire.GetConfigurationRequest():
            return configuration.read(request, about.shape)
        case wire.ResetRequest():
            return ask.Reset(hard=request.type == "Hard")
        case wire.ChangeAvailabilityRequest():
            return ask.ChangeAvailability(request.connectorId, request.type == "Operative")
        case wire.ClearCacheRequest():
            return ask.ClearCache()
        case wire.TriggerMessageRequest():
            return _trigger(request)
        case wire.DataTransferRequest():
            return ask.VendorMessage(request.vendorId, request.messageId or "", request.data or "")
        case _:
            return CallRefused("NotSupported")


def _start(request: wire.RemoteStartTransactionRequest) -> ask.StartSession:
    """Slot 0 stays 0: it names no connector, and the station says so."""
    profile: Literal["none", "tx", "other"] = "none"
    if request.chargingProfile:
        profile = "tx" if request.chargingProfile.chargingProfilePurpose == "TxProfile" else "other"
    slot = request.connectorId
    return ask.StartSession(
        Token(request.idTag, TokenKind.CENTRAL), None if isinstance(slot, UnsetType) else slot, profile=profile
    )


def _session(transaction: int, about: About) -> SessionId | None:
    """The session that got this transactionId last; a CSMS may give the same one to several."""
    return next((session for session, noted in reversed(about.transactions.items()) if noted == transaction), None)


def _trigger(request: wire.TriggerMessageRequest) -> ask.Trigger:
    what = _TRIGGERS.get(request.requestedMessage)
    slot = request.connectorId
    return ask.Trigger(what, None if isinstance(slot, UnsetType) or what not in _ABOUT_SLOTS else slot)


def outcome(command: ask.AnyCommand, outcome: AnyOutcome, about: About) -> bytes:
    """The answer to a command. An outcome that 1.6 has no word for, time-out included, is its refusal."""
    return codec.encode(_answer(command, outcome, about))


def _answer(command: ask.AnyCommand, outcome: AnyOutcome, about: About) -> Wire:
    match command:
        case ask.StartSession():
            return wire.RemoteStartTransactionResponse(status=_accepted(outcome))
        case ask.StopSession():
            return wire.RemoteStopTransactionResponse(status=_accepted(outcome))
        case ask.UnlockSlot():
            status = outcome.status if isinstance(outcome, UnlockOutcome) else "failed"
            return wire.UnlockConnectorResponse(status=_UNLOCKED[status])
        case ask.ChangeSettings():
            return configuration.changed(outcome)
        case ask.ReadSettings():
            return configuration.told(command, outcome, about.shape)
        case ask.Reset():
            return wire.ResetResponse(status=_accepted(outcome))
        case ask.ChangeAvailability():
            scheduled = _status(outcome) == "scheduled"
            return wire.ChangeAvailabilityResponse(status="Scheduled" if scheduled else _accepted(outcome))
        case ask.ClearCache():
            return wire.ClearCacheResponse(status=_accepted(outcome))
        case ask.Trigger():
            return wire.TriggerMessageResponse(status=_triggered(outcome))
        case ask.VendorMessage():
            return _vendor(outcome)
        case _:
            assert_never(command)


def _accepted(outcome: AnyOutcome) -> Literal["Accepted", "Rejected"]:
    """What is scheduled is accepted, where 1.6 knows no third way."""
    return "Accepted" if _status(outcome) in ("accepted", "scheduled") else "Rejected"


def _status(outcome: AnyOutcome) -> str:
    return outcome.status if isinstance(outcome, Verdict) else "rejected"


def _triggered(outcome: AnyOutcome) -> wire.TriggerMessageStatus:
    return "NotImplemented" if _status(outcome) == "not_implemented" else _accepted(outcome)


def _vendor(outcome: AnyOutcome) -> wire.DataTransferResponse:
    """With an unknown vendor there is no data either."""
    if not isinstance(outcome, VendorAnswer):
        return wire.DataTransferResponse(status="Rejected")
    data = None if outcome.status == "unknown_vendor" else outcome.data
    return wire.DataTransferResponse(status=_VENDOR[outcome.status], data=UNSET if data is None else data)
