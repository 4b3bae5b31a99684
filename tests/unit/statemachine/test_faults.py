"""The fault table against station.md §4, row by row."""

from __future__ import annotations

import pytest

from hal.units import Cause
from statemachine.faults import FAULTS, By, Clears, Fate, Fault, Power
from station.words.common import StopReason

# cause: scope, power, session, ends after, clears, status, error, stop reason
DESIGN = {
    Cause.EMERGENCY_STOP: "station cut ends 0 acknowledged Faulted OtherError emergency_stop",
    Cause.GROUND_FAULT: "slot cut suspended 0 retries Faulted GroundFailure ground_fault",
    Cause.CONTACTOR_WELDED: "slot cut ends 0 service Faulted PowerSwitchFailure other",
    Cause.CONTACTOR_OPEN: "slot cut ends 0 unplug Faulted PowerSwitchFailure other",
    Cause.LOCK_WILL_NOT_CLOSE: "slot withheld ends 0 unplug Faulted ConnectorLockFailure other",
    Cause.LOCK_WILL_NOT_OPEN: "slot untouched kept 0 self warning ConnectorLockFailure other",
    Cause.PILOT: "slot cut suspended 60 self warning EVCommunicationError other",
    Cause.METER: "slot orderly suspended 300 self Faulted PowerMeterFailure other",
    Cause.WARM: "slot derate kept 0 self warning HighTemperature other",
    Cause.TEMPERATURE: "slot orderly kept 0 self Faulted HighTemperature other",
    Cause.OVER_CURRENT: "slot cut ends 0 unplug Faulted OverCurrentFailure over_current",
    Cause.UNDER_VOLTAGE: "slot orderly kept 0 self Faulted UnderVoltage power_quality",
    Cause.OVER_VOLTAGE: "slot orderly kept 0 self Faulted OverVoltage power_quality",
    Cause.READER: "station untouched kept 0 self warning ReaderFailure other",
    Cause.STORE: "station withheld kept 0 self warning InternalError other",
    Cause.LIGHTS: "station untouched kept 0 self warning NoError other",
    Cause.INTERNAL: "station cut ends 0 acknowledged Faulted InternalError other",
}


@pytest.mark.parametrize("cause", Cause)
def test_row(cause: Cause) -> None:
    scope, power, fate, ends_after, clears, status, error, stop = DESIGN[cause].split()
    row = FAULTS[cause]
    assert row.station is (scope == "station")
    assert row.power is Power[power.upper()]
    assert row.fate is Fate[fate.upper()]
    assert row.ends_after_s == int(ends_after)
    assert row.clears is Clears[clears.upper()]
    assert row.faulted is (status == "Faulted")
    assert row.error == error
    assert row.stop is StopReason(stop)


def test_times() -> None:
    assert (FAULTS[Cause.GROUND_FAULT].retry_s, FAULTS[Cause.GROUND_FAULT].retries) == (15, 3)
    assert {cause for cause, row in FAULTS.items() if row.stable_s == 60} == {Cause.UNDER_VOLTAGE, Cause.OVER_VOLTAGE}


def test_a_fault_is_present_as_long_as_anybody_says_so() -> None:
    fault = Fault(Cause.PILOT, 1, "f1", "", By.CORE | By.BOARD)
    fault.by &= ~By.CORE
    assert fault.present
    fault.by &= ~By.BOARD
    assert not fault.present
