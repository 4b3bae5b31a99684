"""What the generated wire types stand on: their base class, and the checks that msgspec alone does not make.

Not here: any message (`v16` and `v201`, made by `tools/make_wire.py`), decoding (`codec`), meaning (the dialects).

Conventions of the generated modules:

- Attribute names are the names on the wire, camelCase included. A converter of names is one more thing that can be
  wrong, and the specification can be searched with what the code says.
- All fields are given by keyword. An optional field that is absent is `UNSET`; JSON null is refused, except where a
  schema says nothing at all about a value (`DataTransfer.data` of 2.0.1).
- Enumerations are `Literal`s, with a name each, so that a dialect's table can be typed with it.
- A type checks what is *decoded*. What the station builds is checked by the type checker and the tests, save for
  `Tenths`, which checks then too.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

Version: TypeAlias = Literal["v16", "v201"]
"""The name of the generated module; a version is added here and in `tools/make_wire.py`."""

Kind: TypeAlias = Literal["request", "response"]

VENDOR_ID_MAX: Final = 255
INTEGER_MIN: Final = -(2**63)
INTEGER_MAX: Final = 2**63 - 1

Integer: TypeAlias = Annotated[int, msgspec.Meta(ge=INTEGER_MIN, le=INTEGER_MAX)]
"""What any store can hold. 2.x says 32 bits, but backends make ids of milliseconds; the schemas set no limit at all."""

DATE_TIME: Final = (
    r"\A[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])[Tt ]"
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])?\Z"
)
"""RFC 3339 with any fraction and offset, and a little more: the zone may be missing (many a backend sends what
`utcnow().isoformat()` gives and means UTC), and so may the colon in the offset. The day goes to 31 in every month."""

DateTime: TypeAlias = Annotated[str, msgspec.Meta(pattern=DATE_TIME)]
"""A moment as its text. Not a `datetime`: that would be encoded with six digits of a second, and 2.x allows three."""


class Wire(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False, omit_defaults=True):
    """Base of every payload and of every part of one. Unknown fields are refused; values do not change."""


class Tenths(Wire, frozen=True, forbid_unknown_fields=True, gc=False, omit_defaults=True):
    """A part whose numbers are multiples of 0.1 (the charging schedules of 1.6).

    msgspec's own `multiple_of=0.1` divides binary fractions and refuses 7.0; here a number is compared with its
    rounding, which is exact for whatever was written with one decimal. ValueError, in building too: round before.
    """

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, float) and round(value, 1) != value:
                raise ValueError(f"{name} is not a multiple of 0.1")


class CustomData(dict[str, Any]):
    """The open object that 2.x allows everywhere: a `vendorId`, and whatever else that vendor wants, as it came."""

    @classmethod
    def decode(cls, value: object) -> CustomData:
        """Raises ValueError unless `value` is an object with a `vendorId` of at most 255 characters."""
        if not isinstance(value, dict):
            raise ValueError("customData is not an object")
        vendor = value.get("vendorId")
        if not isinstance(vendor, str) or len(vendor) > VENDOR_ID_MAX:
            raise ValueError("customData has no proper vendorId")
        return cls(value)
