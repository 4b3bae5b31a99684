"""Lamps: what they show, and the drivers that make them show it."""
