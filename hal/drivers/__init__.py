"""Boards and readers, found through entry points; I/O lives here."""
