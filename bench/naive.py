"""The naive script: what a tester writes in an hour with the `ocpp` library, `websockets`' client and `asyncio.sleep`.

Everything is left at its default: a few tasks a station, exact timers, dicts, uuids, JSON schemas at every message.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import websockets
from ocpp.v16 import ChargePoint as V16ChargePoint
from ocpp.v16 import call

from bench import load


class ChargePoint(V16ChargePoint):  # type: ignore[misc]
    """A station that boots, starts a transaction and sends meter values and heartbeats until its connection ends."""

    async def live(self) -> None:
        boot = await self.call(
            call.BootNotification(charge_point_vendor="Bench", charge_point_model="two-sockets-22kw")
        )
        for connector_id, status in ((1, "Preparing"), (2, "Available")):
            await self.call(call.StatusNotification(connector_id=connector_id, error_code="NoError", status=status))
        await self.call(call.Authorize(id_tag="04A1B2C3"))
        started = await self.call(
            call.StartTransaction(connector_id=1, id_tag="04A1B2C3", meter_start=0, timestamp=now())
        )
        await self.call(call.StatusNotification(connector_id=1, error_code="NoError", status="Charging"))
        await asyncio.gather(self.beat(boot.interval), self.meter(started.transaction_id))

    async def beat(self, interval_s: int) -> None:
        while True:
            await asyncio.sleep(interval_s)
            await self.call(call.Heartbeat())

    async def meter(self, transaction_id: int) -> None:
        energy_wh = 0
        while True:
            await asyncio.sleep(load.SAMPLE_INTERVAL_S)
            energy_wh += 30
            values = [
                sampled("Energy.Active.Import.Register", "Wh", str(energy_wh)),
                sampled("Power.Active.Import", "W", "11040"),
                *(sampled("Current.Import", "A", "16.0", phase) for phase in ("L1", "L2", "L3")),
                *(sampled("Voltage", "V", "230.0", phase) for phase in ("L1-N", "L2-N", "L3-N")),
            ]
            await self.call(
                call.MeterValues(
                    connector_id=1,
                    transaction_id=transaction_id,
                    meter_value=[{"timestamp": now(), "sampled_value": values}],
                )
            )


def now() -> str:
    return datetime.now(UTC).isoformat()


def sampled(measurand: str, unit: str, value: str, phase: str | None = None) -> dict[str, Any]:
    sampled_value = {"value": value, "context": "Sample.Periodic", "measurand": measurand, "unit": unit}
    return sampled_value if phase is None else {**sampled_value, "phase": phase}


async def station(url: str, station_id: str, after_s: float) -> None:
    await asyncio.sleep(after_s)
    async with websockets.connect(f"{url}/{station_id}", subprotocols=[websockets.Subprotocol(load.SUBPROTOCOL)]) as ws:
        charge_point = ChargePoint(station_id, ws)
        await asyncio.gather(charge_point.start(), charge_point.live())


async def run(url: str, count: int) -> None:
    """Keep `count` stations going; raises when one of them fails."""
    ids = load.station_ids(count)
    await asyncio.gather(
        *(station(url, station_id, load.connect_after_s(n, count)) for n, station_id in enumerate(ids))
    )
