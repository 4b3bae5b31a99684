"""What people and programs get to see."""

from __future__ import annotations

import json

from bench.report import as_json, as_text
from tests.unit.bench.builders import plan, results, window


def line_of(text: str, start: str) -> list[str]:
    return next(line for line in text.splitlines() if line.startswith(start)).removeprefix(start).split()


def test_the_table_has_cost_ratio_and_memory() -> None:
    text = as_text(results())
    assert line_of(text, "ours, memory store")[:5] == ["140.0", "140.0-140.0", "2.80", "50.0", "12.00"]
    assert line_of(text, "bare protocol")[:5] == ["50.0", "48.0-90.0", "1.00", "26.0", "6.00"]
    assert line_of(text, "naive `ocpp` script")[3:5] == ["-", "-"]


def test_the_terms_are_said() -> None:
    text = as_text(results())
    for term in ("60 s after 30 s of warm-up", "median of 5 interleaved runs", "Compare the ratios", "2000 stations"):
        assert term in text


def test_bounds_are_printed_with_their_limits() -> None:
    text = as_text(results(slope_kib=15))
    assert "BROKEN slope: 15.00 KiB a station, at most 14" in text
    assert "ok     base: 50.00 MiB, at most 60" in text


def test_what_went_wrong_is_printed() -> None:
    found = results()
    found.failures["sqlite"] = "disk full"
    found.windows["naive"] = [window(700, ("2 frames refused",), foreign=0.5)]
    text = as_text(found)
    assert "! sqlite: disk full" in text
    assert "! naive: 2 frames refused" in text
    assert "busy with something else" in text


def test_one_processor_for_both_is_said() -> None:
    assert "there is only this one" in as_text(results(plan(row_processor=0)))


def test_the_json_holds_every_window_and_the_verdict() -> None:
    report = json.loads(as_json(results(base_mib=70)))
    assert len(report["rows"]["bare"]["windows"]) == 3
    assert report["rows"]["memory"]["slope_kib"]["rss_kib"] == 12
    assert [bound["held"] for bound in report["bounds"]] == [True, True, False, True]
    assert report["passed"] is False
    assert report["plan"]["stations"] == 2_000
