"""What can go wrong with a board on a port, in a line that says what to do."""

from __future__ import annotations

UNDERWAY = 1
BAD_INPUT = 2


class FlashFault(Exception):
    """One line: the thing, the fault, the remedy. `status` is what the command exits with."""

    def __init__(self, text: str, status: int = BAD_INPUT) -> None:
        super().__init__(text)
        self.status = status
