"""Whether a device keeps up with its group, and what becomes of one that doesn't.

Two ways not to: sound breaks up again and again although lead and codec are at their strongest, or
none comes out at all although the device answers and has been sent enough. Either is dropped from
its group, and told why: a group's terms are those of its worst member, so one hopeless member
would cost all the others their quality.

The broken-up one gets another chance after a pause that doubles each time. The silent one is
restarted, since a wedged DAC needs that, but not often: a restart that doesn't help is worse than
silence for whoever looks at it.
"""

from __future__ import annotations

from dataclasses import dataclass

from .readings import Window

# Heard as broken: a gap every other second over the whole window.
HOPELESS_UNDERRUNS = 6
# The group's terms get this long to help first; see terms.STEP_UP_AFTER_S.
PATIENCE_S = 12.0
# Out for so long at first; then twice as long each time, so that a group isn't disturbed for ever.
FIRST_PAUSE_S = 30.0
LAST_PAUSE_S = 300.0
# Having played well for so long, it starts from FIRST_PAUSE_S again.
REHABILITATED_S = 300.0

# Five reports: a device that plays counts 187 blocks a second.
SILENT_AFTER_S = 2.5
# Enough is buffered: what is missing is not the network's doing.
SILENT_BUFFER_MS = 100
RESTART_EVERY_S = 600.0
# A stream that begins is silent until its start, and a board that restarts until it is back.
STARTING_S = 1.5


@dataclass(frozen=True)
class Verdict:
    """`dropped`: it gets no stream now. `silent`: it answers and plays nothing."""

    dropped: bool = False
    silent: bool = False
    reason: str = ""


class KeepingUp:
    """One device over time. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.verdict = Verdict()
        self._until_s = 0.0  # dropped so long, unless it restarts
        self._pause_s = FIRST_PAUSE_S
        self._bad_since_s: float | None = None
        self._fed_since_s: float | None = None
        self._admitted_s = 0.0
        self._restarted_s: float | None = None

    def restarted(self, now_s: float) -> None:
        """It is another boot: whatever was wrong, it gets a chance."""
        self.verdict = Verdict()
        self._admitted_s = now_s
        self._bad_since_s = self._fed_since_s = None

    def fed(self, now_s: float) -> None:
        """It has been given a stream."""
        self._fed_since_s = now_s
        self._bad_since_s = None

    def starved(self) -> None:
        """It is given nothing any more."""
        self._fed_since_s = self._bad_since_s = None

    def look(self, window: Window, *, strongest: bool, now_s: float) -> bool:
        """Judge by the latest reports; True if the verdict has changed.

        `strongest`: the group's terms can't help it any further.
        """
        if self.verdict.dropped:
            return self._readmit(now_s)
        if self._fed_since_s is None or now_s - self._fed_since_s < STARTING_S:
            return False
        if self._plays_nothing(window):
            self._drop(Verdict(True, True, "answers but plays nothing"), now_s)
            return True
        if self._hopeless(window, strongest, now_s):
            reason = f"could not keep up: {window.underruns} gaps in 10 s"
            self._drop(Verdict(True, False, reason), now_s)
            return True
        if now_s - self._admitted_s >= REHABILITATED_S and not window.underruns:
            self._pause_s = FIRST_PAUSE_S
        return False

    def may_restart(self, now_s: float) -> bool:
        """Whether it may be restarted for being silent; call it when about to."""
        if not self.verdict.silent:
            return False
        if self._restarted_s is not None and now_s - self._restarted_s < RESTART_EVERY_S:
            return False
        self._restarted_s = now_s
        return True

    def _plays_nothing(self, window: Window) -> bool:
        if window.played_blocks is None or window.state == "syncing":
            return False
        enough = window.buffer_ms is not None and window.buffer_ms >= SILENT_BUFFER_MS
        return (
            window.played_blocks == 0
            and window.played_for_s >= SILENT_AFTER_S
            and (enough or window.state == "playing")
        )

    def _hopeless(self, window: Window, strongest: bool, now_s: float) -> bool:
        if not strongest or window.underruns < HOPELESS_UNDERRUNS:
            self._bad_since_s = None
            return False
        if self._bad_since_s is None:
            self._bad_since_s = now_s
        return now_s - self._bad_since_s >= PATIENCE_S

    def _drop(self, verdict: Verdict, now_s: float) -> None:
        self.verdict = verdict
        self._until_s = now_s + (RESTART_EVERY_S if verdict.silent else self._pause_s)
        self._pause_s = min(LAST_PAUSE_S, self._pause_s * 2)
        self.starved()

    def _readmit(self, now_s: float) -> bool:
        if now_s < self._until_s:
            return False
        self.verdict = Verdict()
        self._admitted_s = now_s
        return True
