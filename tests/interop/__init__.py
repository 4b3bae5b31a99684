"""Real sockets, and software that others wrote."""
