"""A command in a terminal of its own, and somebody at its keyboard."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 30.0


@dataclass(frozen=True)
class Ended:
    """The exit status, what was written from the key on, and what still ran then."""

    status: int
    written: str
    left: str


def _has_begun(child: int) -> bool:
    """Whether it is the command by now: the fork of this process has all that this one has open,
    and a signal to it is lost."""
    return b"storagebox.cli" in Path(f"/proc/{child}/cmdline").read_bytes()


def ctrl_c(*arguments: str, when: Callable[[str], bool]) -> Ended:
    """Run `phantom` on a terminal, and press Ctrl-C once `when` holds of what it has written."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm", COLUMNS="100")
        os.execv(sys.executable, [sys.executable, "-m", "storagebox.cli", *arguments])
    written, pressed_at = "", -1
    deadline = time.monotonic() + PATIENCE_S
    try:
        while time.monotonic() < deadline:
            if pressed_at < 0 and _has_begun(child) and when(written):
                pressed_at = len(written)
                os.write(terminal, b"\x03")
            if select.select([terminal], [], [], 0.02)[0]:
                try:
                    data = os.read(terminal, 4096)
                except OSError:  # EIO: nobody has it open any more
                    break
                written += data.decode(errors="replace")
        else:
            os.kill(child, signal.SIGKILL)
            raise AssertionError(f"still running: {written}")
    finally:
        _, status = os.waitpid(child, 0)
        os.close(terminal)
    # It led a session of its own, in which all that it has started is.
    left = subprocess.run(
        ["ps", "-o", "args=", "-s", str(child)], check=False, capture_output=True, text=True
    )
    return Ended(os.waitstatus_to_exitcode(status), written[pressed_at:], left.stdout)
