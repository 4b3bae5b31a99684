"""What runs cores on a real machine: the event loop, sockets and threads."""
