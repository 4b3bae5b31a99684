"""The station's brain: one synchronous core without I/O, `step(now, input) -> effects`."""
