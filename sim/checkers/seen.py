"""What can be seen of one call and of one slot. Data; the whole station is in `view`."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from hal.units import LockState, MilliAmps, MonoNs, Pilot, Reading, SlotId
from station.words.records import SessionRecord
from station.words.settings import SlotShape

NEVER: Final[MonoNs] = 1 << 62
Payload: TypeAlias = dict[str, Any]


class Call:
    """A call of either side. `key` is that of the outbox record behind it, if there is one."""

    __slots__ = ("action", "at_ns", "id", "key", "payload", "until_ns")

    def __init__(self, number: str, action: str, payload: Payload, at_ns: MonoNs) -> None:
        self.id = number
        self.action = action
        self.payload = payload
        self.at_ns = at_ns
        self.until_ns = NEVER
        self.key: str | None = None

    def sound(self, answer: Payload) -> bool:
        """Whether this CALLRESULT has what a station cannot do without (1.6 §6)."""
        match self.action:
            case "BootNotification":
                sound = isinstance(answer.get("status"), str) and isinstance(answer.get("interval"), int)
                return sound and isinstance(answer.get("currentTime"), str)
            case "Heartbeat":
                return isinstance(answer.get("currentTime"), str)
            case "Authorize":
                return info_of(answer) is not None
            case "StartTransaction":
                return isinstance(answer.get("transactionId"), int)
            case _:
                return True  # nothing that it could say matters


def info_of(answer: Payload) -> Payload | None:
    """The idTagInfo of an answer, if it is one."""
    info = answer.get("idTagInfo")
    return info if isinstance(info, dict) and isinstance(info.get("status"), str) else None


class SlotView:
    """One slot. None: not told yet in this boot. `session` is the record put last; `energised_ns` when the mirror first said so."""

    __slots__ = (
        "cable",
        "has_lock",
        "lock",
        "mirror",
        "mirror_ns",
        "number",
        "offer_ma",
        "permitted",
        "permitted_ns",
        "pilot",
        "plugged",
        "plugged_ns",
        "reading",
        "reading_ns",
        "session",
        "shape",
        "shut",
        "withdrawn_ns",
    )

    def __init__(self, number: SlotId, shape: SlotShape) -> None:
        self.number = number
        self.shape = shape
        self.has_lock = shape.has_lock
        self.forget()

    def forget(self) -> None:
        """A core begins: it knows nothing, and nothing is permitted."""
        self.pilot = Pilot.A
        self.plugged = self.cable = self.shut = False  # `shut`: what the lock was told last
        self.plugged_ns: MonoNs = 0
        self.lock: LockState | None = None
        self.mirror: bool | None = None
        self.mirror_ns: MonoNs = 0  # when it changed
        self.permitted = False
        self.permitted_ns: MonoNs = 0
        self.withdrawn_ns: MonoNs = -1  # never
        self.offer_ma: MilliAmps | None = None
        self.session: SessionRecord | None = None
        self.reading: Reading | None = None
        self.reading_ns: MonoNs = 0

    @property
    def powered(self) -> bool:
        return self.permitted or self.offer_ma is not None
