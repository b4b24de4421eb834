"""Run a program in a station's namespace: enter.py USER_FD|-1 NET_FD PROGRAM ARGUMENT...

Replaces itself by the program, so the process that was started *is* the program. A file that
imports nothing of this package: it runs with `python -I -S`, in about 15 ms.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000


def main() -> None:
    """Enter, then become the program. Exits with 126 or 127 like a shell if that fails."""
    libc = ctypes.CDLL(None, use_errno=True)
    user_fd, net_fd = int(sys.argv[1]), int(sys.argv[2])
    program = sys.argv[3:]
    for descriptor, kind in ((user_fd, CLONE_NEWUSER), (net_fd, CLONE_NEWNET)):
        if descriptor < 0:
            continue
        if libc.setns(descriptor, kind) != 0:
            reason = os.strerror(ctypes.get_errno())
            sys.exit(
                f"virtual network: {program[0]} can't enter its station's namespace: {reason}"
            )
        os.close(descriptor)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and that is inherited
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(program[0], program)
    except OSError as error:
        print(f"virtual network: can't run {program[0]}: {error.strerror}", file=sys.stderr)
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)


if __name__ == "__main__":
    main()
