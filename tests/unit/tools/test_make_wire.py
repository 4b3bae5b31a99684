"""The generator stops at what it was not made for; what it makes is compared with the schemas in tests/dialects."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import make_wire


def test_a_keyword_that_nobody_thought_about_stops_it() -> None:
    with pytest.raises(make_wire.Shape, match="oneOf"):
        make_wire.stripped({"type": "object", "properties": {"a": {"oneOf": []}}})


def test_prose_and_defaults_do_not_come_through() -> None:
    schema = {"description": "A sentence.", "default": 1, "type": "string", "additionalProperties": False}
    assert make_wire.stripped(schema) == {"type": "string"}


def test_a_field_may_have_the_name_of_a_keyword() -> None:
    schema = {"type": "object", "properties": {"description": {"type": "string", "description": "x"}}}
    assert make_wire.stripped(schema)["properties"] == {"description": {"type": "string"}}


def test_a_stale_file_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(make_wire, "TARGET", tmp_path)
    monkeypatch.setattr(make_wire, "files", lambda: {"v16.py": "new\n"})
    (tmp_path / "v16.py").write_text("old\n")
    assert make_wire.main(["--check"]) == 1
    assert "v16.py is stale" in capsys.readouterr().out
    assert (tmp_path / "v16.py").read_text() == "old\n"
    assert make_wire.main([]) == 0
    assert make_wire.main(["--check"]) == 0
