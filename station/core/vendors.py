"""Vendors' messages: who answers a DataTransfer of the CSMS (1.6 §5.6; 2.0.1 block P). Pure, immutable, shared by a fleet.

    def echo(message: str, data: str) -> VendorAnswer:
        if message != "Echo":
            return VendorAnswer("unknown_message")
        return VendorAnswer("accepted", data)

    Plan(shape, settings, vendors=Vendors({"org.example": echo}))

A handler is called inside `StationCore.step`, so it computes and nothing else: no I/O, no waiting, nothing kept. An absent messageId
or data arrives as "". It must not raise: if it does, that is a bug like any of ours and stops the station.
Not here: what the station itself asks a vendor's back end (`words.questions.AskVendor`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from station.words.commands import VendorMessage
from station.words.questions import VendorAnswer

Handler: TypeAlias = Callable[[str, str], VendorAnswer]
"""(message, data) -> answer."""

UNKNOWN_VENDOR: Final = VendorAnswer("unknown_vendor")


class Vendors:
    """Handlers by vendor id, which is compared without case. Raises ValueError for two that differ in case only."""

    __slots__ = ("_handlers",)

    def __init__(self, handlers: Mapping[str, Handler] | None = None) -> None:
        self._handlers = {vendor.casefold(): handler for vendor, handler in (handlers or {}).items()}
        if len(self._handlers) < len(handlers or {}):
            raise ValueError(f"two handlers for one vendor: {', '.join(handlers or ())}")

    def answer(self, asked: VendorMessage) -> VendorAnswer:
        """What the vendor's handler says; without one the vendor is unknown here (1.6 DT-01 to DT-03)."""
        handler = self._handlers.get(asked.vendor.casefold())
        return UNKNOWN_VENDOR if handler is None else handler(asked.message, asked.data)


NO_VENDORS: Final = Vendors()
