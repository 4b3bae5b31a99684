"""The feature profiles of 1.6: which this station has, and what it answers to the actions of those that it has not.

This table is the only place that knows. When a profile is built its name moves into `BUILT`, its keys are added to
`keys.py`, and whatever `ABSENT` says of its actions no longer counts.
"""

from __future__ import annotations

from typing import Final

BUILT: Final = ("Core", "RemoteTrigger")

PROFILES: Final[dict[str, tuple[str, ...]]] = {
    "Core": (
        "ChangeAvailability",
        "ChangeConfiguration",
        "ClearCache",
        "DataTransfer",
        "GetConfiguration",
        "RemoteStartTransaction",
        "RemoteStopTransaction",
        "Reset",
        "UnlockConnector",
    ),
    "FirmwareManagement": ("GetDiagnostics", "UpdateFirmware"),
    "LocalAuthListManagement": ("GetLocalListVersion", "SendLocalList"),
    "Reservation": ("CancelReservation", "ReserveNow"),
    "SmartCharging": ("ClearChargingProfile", "GetCompositeSchedule", "SetChargingProfile"),
    "RemoteTrigger": ("TriggerMessage",),
    "Security": (  # of the security whitepaper; no name in SupportedFeatureProfiles
        "CertificateSigned",
        "DeleteCertificate",
        "ExtendedTriggerMessage",
        "GetInstalledCertificateIds",
        "GetLog",
        "InstallCertificate",
        "SignedUpdateFirmware",
    ),
}
"""The actions of each profile that a CSMS sends to a station."""

PROFILE_OF: Final = {action: profile for profile, actions in PROFILES.items() for action in actions}

ABSENT: Final[dict[str, bytes]] = {
    "GetLocalListVersion": b'{"listVersion":-1}',
    "SendLocalList": b'{"status":"NotSupported"}',
    "SetChargingProfile": b'{"status":"NotSupported"}',
}
"""Answers of a station without the profile, where 1.6 has words for it (§5.10, §5.15, §5.16). To the other actions of
an absent profile it answers CALLERROR NotSupported."""
