"""Lamps, found through entry points; I/O lives here."""
