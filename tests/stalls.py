"""A test that keeps time is repeated where the machine stood still in the middle of it.

Boards and boxes must be woken within milliseconds. On a machine that others share they sometimes
aren't, and then a test fails that has found nothing. So a process that does nothing but wake up
every few milliseconds writes down when it was not; a failure beside such a stall is no verdict,
and the test begins anew. A failure on a machine that ran is one at once.
"""

import os
import subprocess
import sys
import tempfile
import time

import pytest
from _pytest.runner import runtestprotocol

from boards.emulated.board import STALLS

REPEATS = 2
# The smallest DAC buffer is 85 ms of sound (boards/*/board.toml, ibuf), seldom full amid music.
STALL_NS = 25_000_000
_TOLD = 400  # characters of what had failed

_SLEEPER = """
import os, sys, time
parent, before = os.getppid(), time.monotonic_ns()
while os.getppid() == parent:
    time.sleep(0.004)
    now = time.monotonic_ns()
    if now - before > {stall_ns}:
        os.write(1, b"%d %d\\n" % (now, now - before))
    before = now
"""


class Sleeper:
    """The process that is woken late when others are: in a session of its own, as boards are.

    Boards of this process write beside it, into a file.
    """

    def __init__(self) -> None:
        self._boards = tempfile.NamedTemporaryFile(prefix="phantom-stalls-")  # noqa: SIM115
        os.environ[STALLS] = self._boards.name
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", _SLEEPER.format(stall_ns=STALL_NS)],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._pipe = self._process.stdout.fileno()
        os.set_blocking(self._pipe, False)
        self._rest = b""

    def worst_ns(self, since_ns: int) -> int:
        """The longest stall that ended after an instant of the monotonic clock, or 0."""
        try:
            while data := os.read(self._pipe, 65536):
                self._rest += data
        except BlockingIOError:
            pass
        *lines, self._rest = self._rest.split(b"\n")
        lines += self._boards.read().splitlines()
        stalls = [tuple(map(int, line.split())) for line in lines]
        return max((length for ended, length in stalls if ended > since_ns), default=0)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._pipe)
        del os.environ[STALLS]
        self._boards.close()


def run(item: pytest.Item, nextitem: pytest.Item | None, sleeper: Sleeper) -> None:
    """A test's whole protocol, anew while it fails amid stalls."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for repeat in range(REPEATS + 1):
        begun_ns = time.monotonic_ns()
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        stalled_ns = sleeper.worst_ns(begun_ns)
        if repeat == REPEATS or not stalled_ns or not any(report.failed for report in reports):
            break
        failure = next(report for report in reports if report.failed)
        why = f"the machine stood still for {stalled_ns // 1_000_000} ms"
        os.write(2, f"\n{item.nodeid} is repeated, {why}: {_found(failure)}\n".encode())
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


def _found(failure: pytest.TestReport) -> str:
    """What failed, in one line: so that what fails again and again is seen."""
    crash = getattr(failure.longrepr, "reprcrash", None)
    told = crash.message if crash else str(failure.longrepr).strip().rpartition("\n")[2]
    return " ".join(told.split())[:_TOLD]
