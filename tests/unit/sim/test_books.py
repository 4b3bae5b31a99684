"""What follows from the books, and what the CSMS finds wrong in what it is told. Events in, findings out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from sim.csms.bookfile import BookFile
from sim.csms.books import (
    Books,
    BooksError,
    Boot,
    Event,
    Meter,
    Note,
    Reading,
    Start,
    Status,
    Stop,
    read_books,
    read_values,
    utc_ms,
    utc_text,
)
from sim.csms.judge import STEPS, judge

NOON = utc_ms("2026-03-01T12:00:00Z")
FILE = [
    "Available",
    "Preparing",
    "Charging",
    "SuspendedEV",
    "SuspendedEVSE",
    "Finishing",
    "Reserved",
    "Unavailable",
    "Faulted",
]
# The table of OCPP 1.6 as the specification numbers it, from A to I, to 1 to 9: written down a second time.
TABLE = (
    "A2 A3 A4 A5 A7 A8 A9 B1 B3 B4 B5 B6 B9 C1 C4 C5 C6 C8 C9 D1 D3 D5 D6 D8 D9 E1 E3 E4 E6 E8 E9 "
    "F1 F2 F8 F9 G1 G2 G8 G9 H1 H2 H3 H4 H5 H9 I1 I2 I3 I4 I5 I6 I7 I8"
)


def at(second: float = 0) -> str:
    return utc_text(NOON + round(second * 1000))


def start(second: float = 0, **changed: Any) -> Start:
    told: dict[str, Any] = {
        "at": at(second),
        "station": "CP1",
        "message": f"start-{second}",
        "transaction": 1,
        "connector": 1,
        "id_tag": "DEADBEEF",
        "meter_start_wh": 1000,
        "time": at(second),
        "answer": "Accepted",
    }
    return Start(**(told | changed))


def meter(second: float, register_wh: float | None, **changed: Any) -> Meter:
    readings = (Reading(at(second), register_wh, "Sample.Periodic"),)
    told: dict[str, Any] = {"at": at(second), "station": "CP1", "message": f"meter-{second}"}
    return Meter(**(told | {"connector": 1, "transaction": 1, "readings": readings} | changed))


def stop(second: float, meter_stop_wh: int, **changed: Any) -> Stop:
    told: dict[str, Any] = {"at": at(second), "station": "CP1", "message": f"stop-{second}", "transaction": 1}
    return Stop(**(told | {"meter_stop_wh": meter_stop_wh, "time": at(second)} | changed))


def status(name: str, connector: int = 1, second: float = 0, **changed: Any) -> Status:
    told: dict[str, Any] = {"at": at(second), "station": "CP1", "connector": connector, "status": name}
    return Status(**(told | {"error": "NoError"} | changed))


def connected() -> Note:
    return Note(at=at(), station="CP1", what="connected")


def fold(*events: Event) -> tuple[Books, list[str]]:
    """The books after these events, and the codes of all that was found on the way."""
    books, codes = Books(), []
    for event in events:
        codes += [code for code, _ in judge(books, event)]
        books.apply(event)
    return books, codes


def test_a_transaction_is_billed_from_start_to_stop() -> None:
    books, codes = fold(start(0), meter(10, 1234.5), meter(20, 2000), stop(30, 2345))
    assert codes == []
    assert [one.wh for one in books.transactions] == [1345]
    assert (books.total_wh, books.open, books.problems) == (1345, [], [])
    assert books.transactions[0].readings == 2


def test_an_open_transaction_has_no_sum_yet() -> None:
    books, _ = fold(start(0))
    assert [one.wh for one in books.open] == [None]
    assert books.total_wh == 0
    assert books.problems == []


def test_every_step_of_the_table_and_no_other_is_allowed() -> None:
    listed = {(FILE["ABCDEFGHI".index(one[0])], FILE[int(one[1]) - 1]) for one in TABLE.split()}
    assert {(old, new) for old, steps in STEPS.items() for new in steps} == listed
    for old in FILE:
        for new in FILE:
            _, codes = fold(connected(), status(old), status(new))
            assert codes == ([] if (old, new) in listed or old == new else ["status-step"]), (old, new)


def test_connector_zero_has_three_statuses() -> None:
    assert fold(status("Available", 0), status("Faulted", 0), status("Unavailable", 0))[1] == []
    assert fold(status("Charging", 0))[1] == ["status-step"]


@pytest.mark.parametrize(
    "between", [connected(), Boot(at=at(), station="CP1", answer="Accepted", vendor="V", model="M")]
)
def test_steps_nobody_could_tell_are_not_missed(between: Event) -> None:
    assert fold(status("Charging"), between, status("Reserved"))[1] == []


def test_a_second_start_on_a_busy_connector() -> None:
    assert fold(start(0), start(5, transaction=2, connector=2))[1] == []
    assert fold(start(0), start(5, transaction=2))[1] == ["busy-connector"]
    assert fold(start(0), stop(3, 1000), start(5, transaction=2))[1] == []
    assert fold(start(0, connector=0))[1] == ["connector-zero"]


@pytest.mark.parametrize("event", [stop(5, 2000, transaction=7), meter(5, 2000, transaction=7)])
def test_unknown_transaction(event: Event) -> None:
    assert fold(start(0), event)[1] == ["unknown-transaction"]
    assert fold(start(0, transaction=7), stop(3, 1500, transaction=7), event)[1] == ["unknown-transaction"]


def test_a_stop_of_an_unknown_transaction_is_kept_apart() -> None:
    books, _ = fold(start(0), stop(5, 2000, transaction=7))
    assert len(books.open) == 1
    assert [one.transaction for one in books.unknown_stops] == [7]
    assert "unknown transaction 7" in books.problems[0]


def test_minus_one_is_right_only_where_a_start_was_left_without_answer() -> None:
    unanswered = Note(at=at(), station="CP1", what="unanswered", action="StartTransaction")
    assert fold(unanswered, meter(5, 10, transaction=-1), stop(6, 20, transaction=-1))[1] == []
    assert fold(stop(6, 20, transaction=-1))[1] == ["unknown-transaction"]


def test_registers_and_times_never_fall_in_a_transaction() -> None:
    assert fold(start(0), meter(10, 1200), meter(20, 1199))[1] == ["register-fell"]
    assert fold(start(0), meter(10, 999))[1] == ["register-fell"]
    assert fold(start(0), meter(10, 1200), meter(20, None), stop(30, 1199))[1] == ["register-fell"]
    assert fold(start(0), meter(10, 1200), meter(9, 1300))[1] == ["time-fell"]
    assert fold(start(0), meter(10, 1200), stop(9, 1300))[1] == ["time-fell"]
    assert fold(start(0), stop(9, 999))[1] == ["meter-stop-below-start"]


def test_meter_stop_is_cut_to_whole_watt_hours() -> None:
    assert fold(start(0), meter(10, 1200.9), stop(20, 1200))[1] == []
    assert fold(start(0), meter(10, 1200.9), stop(20, 1199))[1] == ["register-fell"]


def test_transaction_data_may_come_in_any_order_but_not_fall() -> None:
    first, last = Reading(at(0), 1000, "Transaction.Begin"), Reading(at(20), 1200.4, "Transaction.End")
    middle, low = Reading(at(10), 1100, "Sample.Clock"), Reading(at(10), 990, "Sample.Clock")
    assert fold(start(0), stop(20, 1200, readings=(first, last, middle)))[1] == []
    assert fold(start(0), stop(20, 1200, readings=(first, last, low)))[1] == ["register-fell"]
    assert fold(start(0), stop(20, 1200, readings=(Reading(at(30), 1100, ""),)))[1] == ["time-fell"]


@pytest.mark.parametrize(
    ("time", "code"),
    [
        ("1970-01-01T00:00:10Z", "time-before-2020"),
        (at(301), "time-in-future"),
        ("2026-03-01 12:00", "bad-time"),
        ("2026-03-01T12:00:00", "bad-time"),
    ],
)
def test_times_no_station_should_tell(time: str, code: str) -> None:
    assert fold(start(0, time=time))[1] == [code]
    assert fold(status("Available", time=time))[1] == [code]


def test_times_of_other_zones_and_finer_clocks_are_good() -> None:
    assert fold(start(0, time="2026-03-01T13:00:00.123456789+01:00"))[1] == []
    assert utc_ms("2026-03-01T14:00:00+02:00") == NOON


def test_the_same_content_under_another_id_is_a_duplicate() -> None:
    again = msgspec.structs.replace(start(0), message="other", transaction=2)
    books, _ = fold(start(0), again)
    assert len(books.duplicates) == 1
    assert "start of transaction 2 in frame other repeats frame start-0" in books.problems[0]
    assert len(fold(start(0), stop(5, 2000), stop(5, 2000, message="other"))[0].duplicates) == 1
    assert len(fold(start(0), meter(5, 2000), meter(5, 2000, message="other"))[0].duplicates) == 1
    assert fold(start(0), meter(5, 2000), meter(6, 2000))[0].duplicates == []


def test_equal_transaction_ids_on_two_connectors_stay_apart() -> None:
    first, second = start(0, transaction=0), start(1, transaction=0, connector=2, message="b", meter_start_wh=5000)
    books, codes = fold(first, second, meter(5, 1100, transaction=0), meter(5, 5100, transaction=0, connector=2))
    assert codes == []
    assert [one.register_wh for one in books.transactions] == [1100, 5100]
    books.apply(stop(10, 1300, transaction=0))
    books.apply(stop(11, 5500, transaction=0))
    assert [one.wh for one in books.transactions] == [300, 500]


def test_the_register_is_found_among_the_sampled_values() -> None:
    def register(*values: dict[str, str]) -> float | None:
        return read_values({"timestamp": at(), "sampled_value": list(values)}).register_wh

    assert register({"value": "12.5"}) == 12.5
    assert register({"value": "1.25", "unit": "kWh", "measurand": "Energy.Active.Import.Register"}) == 1250
    assert register({"value": "16", "measurand": "Current.Import"}, {"value": "7"}) == 7
    for other in ({"phase": "L1"}, {"location": "Inlet"}, {"format": "SignedData"}, {"measurand": "SoC"}):
        assert register({"value": "7"} | other) is None
    assert register({"value": "seven"}) is None


EVENTS: list[Event] = [connected(), status("Available", 0), start(0), meter(10, None, transaction=None), stop(20, 1500)]


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "books.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in EVENTS))
    books = read_books(path)
    assert [one.wh for one in books.transactions] == [500]
    assert books.station("CP1").statuses[0].status == "Available"
    assert books.counts == {"connected": 1, "status": 1, "start": 1, "meter": 1, "stop": 1}


def test_a_line_that_is_still_being_written_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "books.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in EVENTS)[:-5])
    assert len(read_books(path).open) == 1


def test_a_line_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "books.jsonl"
    path.write_bytes(msgspec.json.encode(start(0)) + b"\n" + b'{"kind":"start"}\n')
    with pytest.raises(BooksError, match="line 2"):
        read_books(path)


def test_a_file_is_continued_without_the_line_a_power_cut_left(tmp_path: Path) -> None:
    path = tmp_path / "books.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in EVENTS)[:-5])
    file = BookFile(path)
    assert len(file.open()) == len(EVENTS) - 1
    file.append(stop(20, 1700))
    file.close()
    assert [one.wh for one in read_books(path).transactions] == [700]


def test_without_a_path_there_is_no_file() -> None:
    file = BookFile(None)
    assert file.open() == []
    file.append(start(0))
    file.close()
