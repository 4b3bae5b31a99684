"""The slot machine: what a slot is, what changes it, which faults and claims lie over it."""
