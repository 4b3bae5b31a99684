"""The fast build, but for the compiling itself, which takes minutes: what is compiled is there, and is fit for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.fast import COMPILED, OPEN, ROOT, modules, opened


def test_what_is_compiled_is_there() -> None:
    found = modules()
    assert {"station/core/core.py", "ocpp_client/link.py", "sim/world.py", "sim/checkers/eyes.py"} <= set(found)
    assert set(OPEN) <= set(found)


def test_a_file_with_structs_stays_as_it_is() -> None:
    """mypyc would forget that they are frozen."""
    assert not any("Struct" in (ROOT / name).read_text(encoding="utf-8") for name in modules())
    assert "station/core/effects.py" not in modules()


def test_a_file_that_has_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=COMPILED[0]):
        modules(tmp_path)


@pytest.mark.parametrize("name", OPEN)
def test_classes_with_interpreted_heirs_are_opened(name: str) -> None:
    text = opened((ROOT / name).read_text(encoding="utf-8"), OPEN[name])
    compile(text, name, "exec")
    for each in OPEN[name]:
        assert f"@mypyc_attr(allow_interpreted_subclasses=True)\nclass {each}" in text
    assert text.index("import mypyc_attr") < text.index("@mypyc_attr")


def test_a_class_that_has_gone_is_told() -> None:
    with pytest.raises(ValueError, match="there is no class Runner"):
        opened("class Walker: ...\n", ("Runner",))
