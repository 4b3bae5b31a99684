"""GetConfiguration and ChangeConfiguration of 1.6 (1.6 edition 2 §5.3 and §5.8) over the keys of `keys.py`.

The station knows neutral names only. A name that the CSMS asked for and that stands for no setting travels through the
command under a name that no setting has, comes back as unknown, and is answered from here: a computed key with its
value, anything else as unknownKey in the spelling it was asked in.
"""

from __future__ import annotations

from typing import Final

from msgspec import UNSET

from ocpp_client.dialects.base import Answered, CallRefused
from ocpp_client.dialects.v16.keys import KEYS, MAX_KEYS, Key, named, of_setting
from ocpp_client.wire import codec
from ocpp_client.wire import v16 as wire
from station.words.commands import ChangeSettings, ReadSettings
from station.words.outcomes import AnyOutcome, SettingsChanged, SettingsTold, SettingTold
from station.words.settings import StationShape

FOREIGN: Final = "key:"
VALUE_MAX: Final = 500

_REJECTED: Final = Answered(codec.encode(wire.ChangeConfigurationResponse(status="Rejected")))

_CHANGED: Final[dict[str, wire.ChangeConfigurationStatus]] = {
    "accepted": "Accepted",
    "restart": "RebootRequired",
    "rejected": "Rejected",
    "read_only": "Rejected",
    "unknown": "NotSupported",
}


def change(request: wire.ChangeConfigurationRequest, shape: StationShape) -> ChangeSettings | Answered:
    """The change of a setting. Of a key that is computed here, or into a form that 1.6 does not allow: Rejected."""
    key = named(request.key)
    if key is None:
        return ChangeSettings(((None, request.value),))
    text = key.check(request.value, shape)
    if key.setting is None or text is None or key.fixed(shape) is not None:
        return _REJECTED
    return ChangeSettings(((key.setting, text),))


def changed(outcome: AnyOutcome) -> wire.ChangeConfigurationResponse:
    """1.6 changes one setting at a time."""
    if not isinstance(outcome, SettingsChanged) or len(outcome.statuses) != 1:
        return wire.ChangeConfigurationResponse(status="Rejected")
    return wire.ChangeConfigurationResponse(status=_CHANGED[outcome.statuses[0]])


def read(request: wire.GetConfigurationRequest, shape: StationShape) -> ReadSettings | CallRefused:
    """The settings behind the keys; no keys, or an empty list of them, means all."""
    asked = request.key or []
    if len(asked) > MAX_KEYS:
        return CallRefused("OccurenceConstraintViolation", f"at most {MAX_KEYS} keys at a time")
    return ReadSettings(tuple(dict.fromkeys(_carried(name, shape) for name in asked)))


def _carried(name: str, shape: StationShape) -> str:
    key = named(name)
    if key is None:
        return FOREIGN + name
    return FOREIGN + key.name if key.setting is None or key.fixed(shape) is not None else key.setting


def told(command: ReadSettings, outcome: AnyOutcome, shape: StationShape) -> wire.GetConfigurationResponse:
    """What was asked for, in that order; or all keys, in theirs. Of settings that came to no answer nothing is said."""
    answer = outcome if isinstance(outcome, SettingsTold) else SettingsTold(())
    settings = {setting.name: setting for setting in answer.settings}
    asked = command.names or tuple(_carried(key.name, shape) for key in KEYS)
    found: list[wire.KeyValue] = []
    unknown: list[str] = []
    for name in asked:
        key = named(name.removeprefix(FOREIGN)) if name.startswith(FOREIGN) else of_setting(name)
        value = key and _key_value(key, settings.get(name), shape)
        if value:
            found.append(value)
        elif name.startswith(FOREIGN) or name in answer.unknown:
            unknown.append(key.name if key else name.removeprefix(FOREIGN))
    return wire.GetConfigurationResponse(configurationKey=found or UNSET, unknownKey=unknown or UNSET)


def _key_value(key: Key, setting: SettingTold | None, shape: StationShape) -> wire.KeyValue | None:
    """None if the station has told nothing of the setting."""
    fixed = key.fixed(shape)
    if fixed is not None:
        return wire.KeyValue(key=key.name, readonly=True, value=fixed[:VALUE_MAX])
    if setting is None:
        return None
    value = UNSET if setting.value is None else (setting.value or key.unset(shape))[:VALUE_MAX]
    return wire.KeyValue(key=key.name, readonly=setting.read_only, value=value)
