"""Central systems: one written from the specification, one on an independent library."""
