"""The hardware abstraction layer: what a board can say and be told. No code here does anything but `registry` and `drivers`."""
