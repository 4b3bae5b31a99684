"""Words drawn for Hypothesis: readings a meter may give, samples of them, and events of a transaction."""

from __future__ import annotations

from hypothesis import strategies as st

from hal.units import Reading
from station.words.common import Context, Measurand, Sample, Stamp, StopReason, Token, Why
from tests.dialects.cases import SESSION, transaction

readings = st.builds(
    Reading,
    energy_mwh=st.integers(0, 10**15),
    current_ma=st.lists(st.integers(-(10**6), 10**6), max_size=3).map(tuple),
    voltage_mv=st.lists(st.integers(0, 10**6), max_size=3).map(tuple),
    power_mw=st.lists(st.integers(-(10**9), 10**9), max_size=3).map(tuple),
    frequency_millihz=st.none() | st.integers(0, 10**5),
    temperature_mc=st.none() | st.integers(-(10**5), 10**6),
    soc_percent=st.none() | st.integers(0, 100),
)
stamps = st.builds(Stamp, st.integers(-(10**15), 10**15), boot=st.integers(0, 3))
samples = st.builds(
    Sample,
    stamps,
    st.sampled_from(Context),
    readings,
    st.lists(st.sampled_from(Measurand), unique=True).map(tuple),
    st.none() | st.integers(0, 10**5),
    st.sampled_from(("RST", "SRT", "Unknown", "")),
)
events = st.builds(
    transaction,
    st.sampled_from(("started", "updated", "ended")),
    session=st.sampled_from((SESSION, "x")),
    why=st.sampled_from(Why),
    at=stamps,
    token=st.none() | st.builds(Token, st.text(max_size=40)),
    register_mwh=st.none() | st.integers(0, 10**15),
    samples=st.lists(samples, max_size=3).map(tuple),
    stop=st.none() | st.sampled_from(StopReason),
)
