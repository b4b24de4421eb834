"""Ejection: a server whose requests fail gets none for a while, then one to see.

    well ─ failures ─▶ ejected ─ time is over ─▶ on probation ─ a request succeeds ─▶ well
                          ▲                               │
                          └── for twice as long ── fails ─┘

Three things eject: failures in a row, which find a dead server however little is asked of it; a
share of failures well above *the others'*, which finds one that is half broken; and requests in a
row that hedges, sent later to others, have outpaced without an answer in between, which find one
that hangs long before a timeout does. Published detectors compare with the mean of all and wait
for 5 hosts with 50 to 100 requests in 10 s each (gRPC A50); among three, one outlier can't stand
out from a mean that it is a third of.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf
from random import Random

from storagebox.balance.health.window import Window
from storagebox.balance.outcome import Outcome


@dataclass(slots=True)
class Record:
    """How one server's requests have ended lately."""

    window: Window
    in_a_row: int = 0
    """Failures since the last success."""
    ejected_s: float | None = None
    """Since when; `None` if it isn't."""
    until_s: float = -inf
    heard_s: float = -inf
    """When a request last ended with an answer."""
    outpaced: int = 0
    """Requests since then that others, sent later elsewhere, have outpaced."""
    times: int = 0
    """Ejections that aren't forgotten: each doubles the time."""
    why: str = ""
    since_s: float = -inf
    """Requests that began earlier say nothing: another process answered them, or it was ill."""
    trial_s: float | None = None
    """When its trial began, the request that shows whether it is well; `None` if there is none."""

    @property
    def ejected(self) -> bool:
        return self.ejected_s is not None


@dataclass(frozen=True, slots=True)
class Ejection:
    """When to eject, and for how long.

    Args:
        failures: so many in a row eject. 3 at any size: one may be an accident, and every further
            one is a request lost or repeated.
        difference: also ejected if its share of failures exceeds the others' by this much;
            `None`: never for that. 0.3 of 20 requests: where a tenth of all requests fail
            everywhere, a sound server shows that by chance once in some thousands.
        outpaced: ejected after so many that were outpaced, without an answer in between. More than
            failures, for hedges outpace up to one in twenty requests at a sound server, too: five
            in a row are chance once in millions.
        volume: requests within the window, of its own and of the others, that this needs.
        window_s: 30 s, since small clusters get few requests (A50: 10 s).
        time_s: how long the first time. Short, for the first request after it tells the truth,
            and only one is risked.
        max_time_s: never longer than this; A50's base of 30 s.
        jitter: shortens each time by up to this share, so that clients don't come back as one.
        forget_s: one ejection is forgotten for so long of being well; who flaps stays longer out.
        max_share: no more than this share of the servers is ejected, rounded up, and never the
            last: two of three, 200 of 300. Others stay, however they fail: the survivors
            would be asked to carry several times their load. (A50's 10 % is one of three.)
        trial_patience_s: a trial that has not ended by then doesn't keep others from trying.
        unsafe_after_s: if no safe request has tried it for so long, one that can't be repeated
            may: a client that only writes would never trust it again.
    """

    failures: int = 3
    outpaced: int = 5
    difference: float | None = 0.3
    volume: int = 20
    window_s: float = 30.0
    time_s: float = 1.0
    max_time_s: float = 30.0
    jitter: float = 0.2
    forget_s: float = 10.0
    max_share: float = 2 / 3
    trial_patience_s: float = 10.0
    unsafe_after_s: float = 10.0

    def __post_init__(self) -> None:
        if min(self.failures, self.outpaced, self.volume) < 1:
            raise ValueError("ejection: failures, outpaced and volume are counts of 1 or more")
        if not (0 < self.time_s <= self.max_time_s and self.window_s > 0 and self.forget_s > 0):
            raise ValueError("ejection: times are more than 0 s, and time_s at most max_time_s")
        if not (0 <= self.jitter < 1 and 0 <= self.max_share <= 1):
            raise ValueError("ejection: jitter is within [0, 1), max_share within [0, 1]")

    def fresh(self) -> Record:
        """The record of a server of which nothing is known."""
        return Record(Window(self.window_s))

    def ended(
        self,
        record: Record,
        everybody: Window,
        outcome: Outcome,
        began_s: float,
        now: float,
        *,
        trial: bool,
        random: Random,
    ) -> bool:
        """A request has ended; `everybody` is the window of all servers together.

        True if the server is now ejected, on probation or well and was not before.
        """
        trial = trial and began_s == record.trial_s  # or it has been judged, and another tries
        if trial:
            record.trial_s = None
        if outcome is Outcome.OVERLOADED:
            if not trial or not record.ejected:
                return False
            record.until_s = now + self._time_s(record.times, random)
            return True
        failed = outcome.blames_server
        if not failed and outcome is not Outcome.SUCCESS:
            return trial  # it says nothing, so another may try
        if began_s < record.since_s:
            return False
        if not failed:
            record.heard_s = now
            record.outpaced = 0
        if record.ejected_s is not None:
            return self._ended_ejected(record, failed, began_s, now, trial=trial, random=random)
        record.window.add(failed, now)
        everybody.add(failed, now)
        if not failed:
            record.in_a_row = 0
            return False
        record.in_a_row += 1
        why = self._reason(record, everybody)
        if why:
            self._eject(record, self._remembered(record, now) + 1, why, now, random)
            self.left_out(record, everybody)
        return bool(why)

    def left_out(self, record: Record, everybody: Window) -> None:
        """It is ejected, or gone: it is none of the others that servers are compared with."""
        everybody.without(record.window)
        record.window = Window(self.window_s)

    def outpace(
        self,
        record: Record,
        everybody: Window,
        began_s: float,
        now: float,
        *,
        trial: bool,
        random: Random,
    ) -> bool:
        """A request has been outpaced by another server; true as for `ended`.

        One that the server has answered another request beside says nothing: it is only slow.
        """
        if began_s < record.since_s or began_s <= record.heard_s:
            return False
        record.outpaced += 1
        if record.ejected:
            if not trial or began_s != record.trial_s:
                return False
            record.trial_s = None
            self._eject(record, record.times + 1, "a trial was outpaced", now, random)
            return True
        if record.outpaced < self.outpaced:
            return False
        why = f"{record.outpaced} requests in a row were outpaced by others sent later"
        self._eject(record, self._remembered(record, now) + 1, why, now, random)
        self.left_out(record, everybody)
        return True

    def try_now(self, record: Record, now: float) -> None:
        """Something speaks for it: a request may try it before its time is over."""
        record.until_s = min(record.until_s, now)

    def _remembered(self, record: Record, now: float) -> int:
        """Earlier ejections that aren't forgotten."""
        forgotten = int((now - record.since_s) / self.forget_s) if record.times else 0
        return max(0, record.times - forgotten)

    def _ended_ejected(
        self,
        record: Record,
        failed: bool,
        began_s: float,
        now: float,
        *,
        trial: bool,
        random: Random,
    ) -> bool:
        assert record.ejected_s is not None
        if not failed:
            if began_s < record.ejected_s:
                return False  # it was still well then
            self.recover(record, now)
            return True
        record.in_a_row += 1
        if not trial:
            return False  # sent before, or in a panic
        self._eject(record, record.times + 1, "a trial failed", now, random)
        return True

    def recover(self, record: Record, now: float) -> None:
        """It is well again, and what happened before counts no more, but for `times`. It and the
        others are compared by what follows: its window was emptied when it was ejected."""
        record.in_a_row = record.outpaced = 0
        record.ejected_s = None
        record.trial_s = None
        record.since_s = now

    def _reason(self, record: Record, everybody: Window) -> str:
        if record.in_a_row >= self.failures:
            return f"{record.in_a_row} failures in a row"
        if self.difference is None or record.window.ended < self.volume:
            return ""
        others = everybody.ended - record.window.ended
        if others < self.volume:
            return ""
        own_share = record.window.failed / record.window.ended
        others_share = max(0, everybody.failed - record.window.failed) / others
        if own_share - others_share < self.difference:
            return ""
        return f"{own_share:.0%} of its requests failed, {others_share:.0%} of the others'"

    def _eject(self, record: Record, times: int, why: str, now: float, random: Random) -> None:
        if record.ejected_s is None:
            record.ejected_s = now
        record.times = times
        record.why = why
        record.until_s = now + self._time_s(times, random)

    def _time_s(self, times: int, random: Random) -> float:
        doubled_s = self.time_s * 2.0 ** min(times - 1, 60)
        return min(self.max_time_s, doubled_s) * (1 - self.jitter * random.random())

    def out(self, records: Sequence[Record]) -> set[int]:
        """Which of these, by their index, are kept out: the first that failed, up to `max_share`.

        All, if all have failed: then nothing is known of whom to prefer (`panic`).
        """
        failing = [at for at, record in enumerate(records) if record.ejected]
        if len(failing) == len(records):
            return set(failing)
        limit = min(len(records) - 1, ceil(self.max_share * len(records) - 1e-9))
        failing.sort(key=lambda at: records[at].ejected_s or 0.0)
        return set(failing[:limit])

    def may_try(self, record: Record, now: float) -> tuple[bool, float]:
        """Whether a request may try this ejected server, and when else to ask again."""
        if now < record.until_s:
            return False, record.until_s
        if record.trial_s is not None and now < record.trial_s + self.trial_patience_s:
            return False, record.trial_s + self.trial_patience_s
        return True, inf

    def overdue_s(self, record: Record) -> float:
        """From when on a request that can't be repeated may try it, too."""
        return record.until_s + self.unsafe_after_s
