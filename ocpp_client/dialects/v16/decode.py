"""Answers of the CSMS in 1.6 as words (1.6 edition 2 §4). What it asks for: `commands.py`.

Answers are read with a kinder eye than requests. A station cannot complain about an answer, and one that stays
unregistered for a stray field or a null never charges anybody; so here only what the station goes by has to be right,
12.0 is 12, a time that cannot be read is no time, and an idTagInfo of unknown status is not Accepted.
"""

from __future__ import annotations

from typing import Final, Literal, TypeVar, assert_never

import msgspec

from ocpp_client.dialects.base import Told
from ocpp_client.dialects.v16.answers import Authorized, Boot, IdTagInfo, Nothing, Started, Stopped, Time, Vendor
from ocpp_client.dialects.v16.encode import action_of
from ocpp_client.dialects.values import read_moment
from ocpp_client.wire.refusal import refusal_code
from station.words.common import TokenInfo, TokenStatus
from station.words.facts import MeterTold, StatusChanged, TransactionTold
from station.words.questions import (
    AnyAnswer,
    AskTime,
    AskVendor,
    Authorize,
    Noted,
    Refused,
    Register,
    Registration,
    TimeTold,
    TransactionNoted,
    VendorAnswer,
)

_REGISTRATION: Final[dict[str, Literal["accepted", "pending", "rejected"]]] = {
    "Accepted": "accepted",
    "Pending": "pending",
    "Rejected": "rejected",
}
_VENDOR: Final[dict[str, Literal["accepted", "rejected", "unknown_message", "unknown_vendor"]]] = {
    "Accepted": "accepted",
    "Rejected": "rejected",
    "UnknownMessageId": "unknown_message",
    "UnknownVendorId": "unknown_vendor",
}
_TOKENS: Final = {
    "Accepted": TokenStatus.ACCEPTED,
    "Blocked": TokenStatus.BLOCKED,
    "Expired": TokenStatus.EXPIRED,
    "Invalid": TokenStatus.INVALID,
    "ConcurrentTx": TokenStatus.CONCURRENT,
}

INTERVAL_MAX: Final = 31_536_000  # a year

T = TypeVar("T")


def answered(told: Told, payload: bytes) -> tuple[AnyAnswer, int | None]:
    """The answer, and of StartTransaction its transactionId: any integer, zero and negative ones too."""
    try:
        return _answered(told, payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return Refused(*refusal_code("v16", action_of(told), "response", payload)), None


def _answered(told: Told, payload: bytes) -> tuple[AnyAnswer, int | None]:
    match told:
        case TransactionTold(kind="started"):
            started = _read(payload, Started)
            return TransactionNoted(_token(started.idTagInfo)), _whole(started.transactionId)
        case TransactionTold(kind="ended"):
            return TransactionNoted(_token(_read(payload, Stopped).idTagInfo)), None
        case TransactionTold():
            _read(payload, Nothing)
            return TransactionNoted(), None
        case MeterTold() | StatusChanged():
            _read(payload, Nothing)
            return Noted(), None
        case Register():
            return _registration(_read(payload, Boot)), None
        case AskTime():
            return TimeTold(read_moment(_read(payload, Time).currentTime)), None
        case Authorize():
            return _info(_read(payload, Authorized).idTagInfo), None
        case AskVendor():
            return _vendor_answer(_read(payload, Vendor)), None
        case _:
            assert_never(told)


def _read(payload: bytes, shape: type[T]) -> T:
    return msgspec.json.decode(payload, type=shape)


def _whole(number: int | float | str) -> int:
    if isinstance(number, str):
        number = _number(number)
    if number != int(number):
        raise msgspec.ValidationError("not an integer")
    return int(number)


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise msgspec.ValidationError("not an integer") from None


def _registration(answer: Boot) -> Registration:
    """An interval below zero, or one that cannot be read, is none: the station chooses for itself."""
    try:
        interval = min(max(int(float(answer.interval)), 0), INTERVAL_MAX)
    except (TypeError, ValueError, OverflowError):
        interval = 0
    return Registration(_REGISTRATION[answer.status], read_moment(answer.currentTime), interval)


def _token(info: object) -> TokenInfo | None:
    """What the CSMS thinks of the token, if that can be read; if not, the CSMS has the transaction all the same."""
    try:
        return _info(msgspec.convert(info, IdTagInfo))
    except msgspec.ValidationError:
        return None


def _info(info: IdTagInfo) -> TokenInfo:
    parent = info.parentIdTag if isinstance(info.parentIdTag, str) and info.parentIdTag else None
    return TokenInfo(_TOKENS.get(info.status, TokenStatus.INVALID), read_moment(info.expiryDate), parent)


def _vendor_answer(answer: Vendor) -> VendorAnswer:
    """Data that is no text, as some peers send it, is kept as the JSON it was."""
    data = answer.data
    if data is not None and not isinstance(data, str):
        data = msgspec.json.encode(data).decode()
    return VendorAnswer(_VENDOR[answer.status], data)
