"""Loopback addresses of this process alone: test runs beside each other must not meet."""

import itertools
import os

_PROCESS = os.getpid()
_numbers = itertools.count()


def address() -> str:
    """One that no other test has now; after 198 others it is handed out again.

    Those from .200 on are left to whoever wants a second one beside it.
    """
    return f"127.{100 + _PROCESS // 250 % 100}.{_PROCESS % 250}.{1 + next(_numbers) % 198}"


def subnet() -> str:
    """The first three numbers of a house's addresses, none of which `address` hands out."""
    return f"127.{200 + _PROCESS // 250 % 50}.{_PROCESS % 250}"
