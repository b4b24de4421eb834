"""How often an emulated board's flash was written to, and at which time the power is to go.

The interpreter adds a byte to a journal before each operation, P for a program and E for an erase,
and looks into a record for the number of the one in which the power is cut (stubs/_flash.py).
"""

from __future__ import annotations

import struct
from pathlib import Path

_RECORD = struct.Struct("<II")  # number of the last operation, 256ths of it that are done
_NEVER = 0


class FlashPower:
    """Operations of one board's flash, over all its lives; its files are in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.journal = (folder / "flash-journal").absolute()
        self.cut = (folder / "flash-cut").absolute()
        self.journal.write_bytes(b"")
        self.spare()

    @property
    def operations(self) -> int:
        """How many there have been: erases of a sector, programs of up to a page and more."""
        return self.journal.stat().st_size

    def kinds(self, since: int = 0) -> str:
        """What they were from number `since` on: a row of P for program and E for erase."""
        return self.journal.read_bytes()[since:].decode()

    def cut_after(self, operations: int, torn: int = 0) -> None:
        """Cut the power in the operation that is the `operations`th from now, counted from 1.

        `torn` 256ths of it are done. The board stays off until it is started again.
        """
        if operations < 1 or not 0 <= torn <= 256:
            raise ValueError("a cut: operations count from 1, torn is in 256ths")
        self.cut.write_bytes(_RECORD.pack(self.operations + operations, torn))

    def spare(self) -> None:
        """Let the power be."""
        self.cut.write_bytes(_RECORD.pack(_NEVER, 0))
