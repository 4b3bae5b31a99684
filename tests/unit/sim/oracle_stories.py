"""Stories that a station tells the oracle on a bench: what the cases of its rules are made of. No tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from sim.csms.oracle_faults import HARMLESS
from tests.unit.sim.oracle_bench import BOOT, CARD, Bench

Story: TypeAlias = Callable[[Bench], object]
Cases: TypeAlias = dict[str, dict[str, Story]]


def told(*statuses: str) -> Story:
    """These statuses of connector 1, one after the other."""

    def story(bench: Bench) -> None:
        for status in statuses:
            bench.status(1, status, "GroundFailure" if status == "Faulted" else "NoError")

    return story


def states(*statuses: tuple[int, str]) -> Story:
    """These connectors tell these statuses."""

    def story(bench: Bench) -> None:
        for connector, status in statuses:
            bench.status(connector, status)

    return story


def refused_answer(
    code: str, action: str = "GetConfiguration", text: Any = "", details: Any = None, **payload: Any
) -> Story:
    """The station refuses a call of the CSMS."""
    return lambda bench: bench.say([4, bench.ask(action, **payload), code, text, {} if details is None else details])


def answered(action: str, result: Any, **payload: Any) -> Story:
    return lambda bench: bench.say([3, bench.ask(action, **payload), result])


def retried(change: Callable[[str], str], *, reconnect: bool = True, reboot: bool = False) -> Story:
    """A Heartbeat comes a second time under its id."""

    def story(bench: Bench) -> None:
        fault = bench.misbehave("silent")
        bench.run(1)
        bench.say('[2,"h","Heartbeat",{}]')
        bench.behave(fault)
        bench.run(40)
        if reconnect:
            bench.connect(reboot=reboot)
        bench.say(change('[2,"h","Heartbeat",{}]'))

    return story


def after_answer(reboot: bool) -> Story:
    """A start is answered, the answer is known to have come, and the start comes again."""

    def story(bench: Bench) -> None:
        payload = {"connectorId": 1, "idTag": CARD, "meterStart": 1, "timestamp": bench.at()}
        bench.call("StartTransaction", payload, "start")
        bench.call("Heartbeat", {})
        if reboot:
            bench.connect()
            bench.boot()
        bench.call("StartTransaction", payload, "start")

    return story


def started_twice(**between: Any) -> Story:
    """The same start under two ids; `boot` or `silent` between, or nothing."""

    def story(bench: Bench) -> None:
        payload = {"connectorId": 1, "idTag": CARD, "meterStart": 1, "timestamp": bench.at()}
        fault = bench.misbehave("silent") if between.get("silent") else None
        bench.call("StartTransaction", payload)
        bench.run(40)
        if fault is not None:
            bench.behave(fault)
        else:
            bench.call("Heartbeat", {}, pause_s=0)
        if between.get("boot"):
            bench.connect()
            bench.boot()
        bench.call("StartTransaction", payload)

    return story


def unanswered(wait_s: float) -> Story:
    """The CSMS is silent, and the station waits so long before the next call."""

    def story(bench: Bench) -> None:
        bench.misbehave("silent")
        bench.call("Heartbeat", {})
        bench.call("Heartbeat", {}, pause_s=wait_s)

    return story


def refused_boot(wait_s: float, how: str = "rejected") -> Story:
    def story(bench: Bench) -> None:
        bench.misbehave(how)
        bench.connect()
        bench.boot()
        bench.call("BootNotification", BOOT, pause_s=wait_s)

    return story


def pending(then: Story) -> Story:
    def story(bench: Bench) -> None:
        bench.misbehave("pending")
        bench.connect()
        bench.boot()
        for _ in range(2):
            frame = bench.asked()[-1]
            bench.say([3, frame[1], {"status": "Accepted"} if frame[2] == "TriggerMessage" else {"unknownKey": []}])
        then(bench)

    return story


def triggered_while_pending(bench: Bench) -> None:
    bench.say([3, bench.ask("TriggerMessage", requestedMessage="StatusNotification"), {"status": "Accepted"}])
    bench.status(0, "Available")


def waits(seconds: float, answer: bool) -> Story:
    def story(bench: Bench) -> None:
        number = bench.ask()
        bench.run(seconds)
        if answer:
            bench.say([3, number, {"listVersion": 0}])
        bench.run(61)

    return story


def disconnected(bench: Bench) -> None:
    bench.ask()
    bench.disconnect()
    bench.run(61)
    bench.connect(reboot=False)
    waits(1, answer=True)(bench)


def flooded(status: str, action: str = "DataTransfer") -> Story:
    """A call of a flood, of which the specification knows the answer."""

    def story(bench: Bench) -> None:
        bench.misbehave("flood")
        judged = [(name, payload) for name, payload, expected in HARMLESS if name == action and expected]
        while not any((frame[2], frame[3]) in judged for frame in bench.asked()):
            bench.run(60)
        for frame in bench.asked():
            if frame[2] == action:
                bench.say([3, frame[1], {"status": status}])
        bench.oracle.violations[:] = [v for v in bench.oracle.violations if v.rule != "answer-due"]  # the others

    return story


def transaction(then: Callable[[Bench, int], object]) -> Story:
    """A transaction on connector 1 that began at 100 Wh a minute ago."""

    def story(bench: Bench) -> None:
        number = bench.start(meter=100)
        bench.run(60)
        then(bench, number)

    return story


def sampled(*meters: float | str, stop: int | None = None) -> Story:
    def then(bench: Bench, number: int) -> None:
        for meter in meters:
            bench.values(number, meter)
        if stop is not None:
            bench.stop(number, stop)

    return transaction(then)


def dated(*seconds: float, stop: float | None = None) -> Story:
    """Values, and a stop, of so many seconds from now."""

    def then(bench: Bench, number: int) -> None:
        for second in seconds:
            bench.values(number, 100, at=bench.at(second))
        if stop is not None:
            bench.stop(number, 100, timestamp=bench.at(stop))

    return transaction(then)


def data(*entries: tuple[float, str, int]) -> Story:
    """A stop with transactionData: seconds from now, context, Wh."""

    def then(bench: Bench, number: int) -> None:
        listed = [
            {"timestamp": bench.at(second), "sampledValue": [{"value": str(meter), "context": context}]}
            for second, context, meter in entries
        ]
        bench.stop(number, 300, transactionData=listed)

    return transaction(then)


def then_starts(meter: int, connector: int = 1) -> Story:
    """One transaction from 100 to 300 Wh, and the next one."""

    def then(bench: Bench, number: int) -> None:
        bench.stop(number, 300)
        bench.start(connector, meter)

    return transaction(then)


def asks(status: str) -> Story:
    def story(bench: Bench) -> None:
        bench.oracle.tokens[CARD] = {"status": status}
        bench.call("Authorize", {"idTag": CARD})
        bench.run(1)

    return story


def later(seconds: float, story: Story) -> Story:
    """After a while."""
    return both(lambda bench: bench.run(seconds), story)


def both(*stories: Story) -> Story:
    def story(bench: Bench) -> None:
        for each in stories:
            each(bench)

    return story


def forgiven(bench: Bench) -> None:
    asks("Accepted")(bench)
    bench.start()


def unconfirmed(bench: Bench) -> None:
    fault = bench.misbehave("silent", "StartTransaction")
    bench.start()
    bench.behave(fault)
    bench.run(40)
    bench.stop(-1, 200)


def idle(bench: Bench, at: str = "") -> dict[str, Any]:
    return {"timestamp": at or bench.at(), "sampledValue": [{"value": "100"}]}


def values_again(bench: Bench, number: int, context: str = "Sample.Periodic") -> None:
    """The same values under two ids, though the first were confirmed."""
    at = bench.at()
    for _ in range(2):
        bench.values(number, 120, at=at, context=context)
        bench.call("Heartbeat", {})


def stopped_again(bench: Bench, number: int) -> None:
    at = bench.at()
    for _ in range(2):
        bench.stop(number, 300, timestamp=at)
        bench.call("Heartbeat", {})


def unheard(bench: Bench, how: str) -> None:
    told("Available")(bench)
    fault = bench.misbehave(how)
    bench.run(60)
    bench.behave(fault)
    told("Finishing")(bench)


def lost_start(bench: Bench) -> None:
    fault = bench.misbehave("silent", "StartTransaction")
    bench.start(1, 100)
    bench.behave(fault)
    bench.run(40)


def offline_start(bench: Bench) -> None:
    bench.disconnect()
    at = bench.at(5)
    bench.run(60)
    bench.connect(reboot=False)
    bench.start(timestamp=at)


def overtaking(bench: Bench, number: int) -> None:
    """Values that were asked for come before older ones that waited."""
    bench.values(number, 150, at=bench.at(-1), context="Trigger")
    bench.values(number, 120, at=bench.at(-30))
    values_again(bench, number, context="Trigger")


def zoned(bench: Bench) -> None:
    bench.run(7200)
    bench.status(1, "Available", timestamp="2026-06-01T04:00:00.1234567+02:00")
