"""What tests/conftest.py promises for this folder."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, strategies

from tests.conftest import Forbidden


def test_a_test_of_logic_cannot_sleep() -> None:
    with pytest.raises(Forbidden):
        time.sleep(0)


@given(strategies.just(0.0))
def test_not_even_inside_a_property(seconds: float) -> None:
    with pytest.raises(Forbidden):
        time.sleep(seconds)
