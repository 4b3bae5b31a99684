"""Answers of the CSMS in 1.6 as they come (1.6 edition 2 §4), with only what the station goes by. What they mean: `decode.py`."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Nothing(msgspec.Struct, frozen=True, gc=False):
    """StatusNotification.conf, MeterValues.conf: that it came is all there is to it."""


class Boot(msgspec.Struct, frozen=True, gc=False):
    status: Literal["Accepted", "Pending", "Rejected"]
    currentTime: Any = None
    interval: Any = 0


class Time(msgspec.Struct, frozen=True, gc=False):
    currentTime: Any = None


class IdTagInfo(msgspec.Struct, frozen=True, gc=False):
    status: str
    expiryDate: Any = None
    parentIdTag: Any = None


class Authorized(msgspec.Struct, frozen=True, gc=False):
    idTagInfo: IdTagInfo


class Started(msgspec.Struct, frozen=True, gc=False):
    transactionId: int | float | str
    idTagInfo: Any = None


class Stopped(msgspec.Struct, frozen=True, gc=False):
    idTagInfo: Any = None


class Vendor(msgspec.Struct, frozen=True, gc=False):
    status: Literal["Accepted", "Rejected", "UnknownMessageId", "UnknownVendorId"]
    data: Any = None
