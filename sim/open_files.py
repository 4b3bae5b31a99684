"""How many files this process may have open: each connection is one, and the usual limit is 1,024 (macOS: 256).

Not here: what they are opened for.
"""

from __future__ import annotations

from typing import Final

ENOUGH: Final = 65_536  # for whoever cannot know how many will come
SPARE: Final = 64  # besides connections: the program, its output, its records


def allow(connections: int) -> None:
    """Let this process have so many connections. Raises ValueError where the system forbids it, with the number that it allows."""
    needed = connections + SPARE
    hard = _raised_to(needed)
    if hard is not None and hard < needed:
        raise ValueError(
            f"{connections} connections need {needed} open files, and this system allows {hard}: raise that (ulimit -Hn)"
        )


def allow_many() -> None:
    """As many as the system allows, up to ENOUGH."""
    _raised_to(ENOUGH)


def _raised_to(wanted: int) -> int | None:
    """Raise the limit to so many, or as far as it goes. How many that are; None: it is not known, or there is no limit."""
    try:
        import resource
    except ImportError:  # nowhere on Windows
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return None
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    except (ValueError, OSError):  # the kernel has a limit of its own
        return soft
    return most
