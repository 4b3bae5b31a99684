"""The configuration keys of 1.6 (1.6 edition 2 §9) over the neutral settings of `station.words.settings`.

A key either stands for a setting, or is computed from how the station is built and then read-only. What is no key of a
profile that this station has does not exist. Values are judged where settings are; here is only what 1.6 alone says of
them. Key names are compared without case and written as the specification writes them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from ocpp_client.dialects.v16.profiles import BUILT
from station.words.settings import StationShape

MAX_KEYS: Final = 100  # in one GetConfiguration
MAX_MEASURANDS: Final = 20  # in one list

_ROTATION: Final = re.compile(r"(0|[1-9][0-9]{0,2})\.(?:NotApplicable|Unknown|RST|RTS|SRT|STR|TRS|TSR)")

Fixed: TypeAlias = Callable[[StationShape], str | None]
Check: TypeAlias = Callable[[str, StationShape], str | None]


def _free(_shape: StationShape) -> str | None:
    return None


def _any(text: str, _shape: StationShape) -> str | None:
    return text


def _measurands(text: str, _shape: StationShape) -> str | None:
    return text if text.count(",") < MAX_MEASURANDS else None


def _rotation(text: str, shape: StationShape) -> str | None:
    """`0.RST,1.RST,2.STR`: each connector at most once; 0 is the supply of the station."""
    items = [item.strip() for item in text.split(",")]
    found = [_ROTATION.fullmatch(item) for item in items]
    connectors = [int(match[1]) for match in found if match]
    if len(connectors) < len(items) or len(set(connectors)) < len(connectors) or max(connectors) > len(shape.slots):
        return None
    return ",".join(items)


def _rotation_as_built(shape: StationShape) -> str:
    return ",".join(["0.RST", *(f"{number}.{slot.rotation}" for number, slot in enumerate(shape.slots, 1))])


def _unlock_fixed(shape: StationShape) -> str | None:
    """A cable that is fixed to the station cannot be unlocked there (errata)."""
    return None if any(slot.has_lock for slot in shape.slots) else "false"


class Key(NamedTuple):
    """A key: the setting it stands for, and what the shape of the station or the specification say of its value.

    `fixed` gives the value that the station's shape dictates, and then the key is read-only. `check` gives the text to
    set, or None for one that 1.6 does not allow. `unset` gives what an empty value means.
    """

    name: str
    setting: str | None = None
    fixed: Fixed = _free
    check: Check = _any
    unset: Callable[[StationShape], str] = lambda _shape: ""


KEYS: Final = (
    Key("AllowOfflineTxForUnknownId", "allow_offline_unknown"),
    Key("AuthorizationCacheEnabled", "cache_enabled"),
    Key("AuthorizeRemoteTxRequests", "authorize_remote"),
    Key("BlinkRepeat", "blink_repeat"),
    Key("ClockAlignedDataInterval", "aligned_interval_s"),
    Key("ConnectionTimeOut", "connection_timeout_s"),
    Key("ConnectorPhaseRotation", "phase_rotation", check=_rotation, unset=_rotation_as_built),
    Key("ConnectorPhaseRotationMaxLength", fixed=lambda shape: str(len(shape.slots) + 1)),
    Key("GetConfigurationMaxKeys", fixed=lambda _: str(MAX_KEYS)),
    Key("HeartbeatInterval", "heartbeat_interval_s"),
    Key("LightIntensity", "light_percent"),
    Key("LocalAuthorizeOffline", "local_authorize_offline"),
    Key("LocalPreAuthorize", "local_pre_authorize"),
    Key("MaxEnergyOnInvalidId", "max_energy_on_invalid_wh"),
    Key("MessageTimeout", "message_timeout_s"),
    Key("MeterValuesAlignedData", "aligned", check=_measurands),
    Key("MeterValuesAlignedDataMaxLength", fixed=lambda _: str(MAX_MEASURANDS)),
    Key("MeterValueSampleInterval", "sample_interval_s"),
    Key("MeterValuesSampledData", "sampled", check=_measurands),
    Key("MeterValuesSampledDataMaxLength", fixed=lambda _: str(MAX_MEASURANDS)),
    Key("MinimumStatusDuration", "min_status_duration_s"),
    Key("NumberOfConnectors", fixed=lambda shape: str(len(shape.slots))),
    Key("ResetRetries", "reset_retries"),
    Key("StopTransactionMaxMeterValues", "stop_values_max"),
    Key("StopTransactionOnEVSideDisconnect", "stop_on_ev_disconnect"),
    Key("StopTransactionOnInvalidId", "stop_on_invalid"),
    Key("StopTxnAlignedData", "stop_aligned", check=_measurands),
    Key("StopTxnAlignedDataMaxLength", fixed=lambda _: str(MAX_MEASURANDS)),
    Key("StopTxnSampledData", "stop_sampled", check=_measurands),
    Key("StopTxnSampledDataMaxLength", fixed=lambda _: str(MAX_MEASURANDS)),
    Key("SupportedFeatureProfiles", fixed=lambda _: ",".join(BUILT)),
    Key("SupportedFeatureProfilesMaxLength", fixed=lambda _: str(len(BUILT))),
    Key("TransactionMessageAttempts", "transaction_attempts"),
    Key("TransactionMessageRetryInterval", "transaction_retry_s"),
    Key("UnlockConnectorOnEVSideDisconnect", "unlock_on_ev_disconnect", fixed=_unlock_fixed),
    Key("WebSocketPingInterval", "ping_interval_s"),
)

_BY_NAME: Final = {key.name.casefold(): key for key in KEYS}
_BY_SETTING: Final = {key.setting: key for key in KEYS if key.setting}


def named(name: str) -> Key | None:
    """The key of this name in any case; None if there is no such key."""
    return _BY_NAME.get(name.casefold())


def of_setting(setting: str) -> Key | None:
    """The key that stands for a neutral setting; None for one that 1.6 cannot see."""
    return _BY_SETTING.get(setting)
