"""What active checks have found of a server, one result after another.

    unknown ─ first result ─▶ well or failing
    well    ─ `fall` failures in a row ─▶ failing
    failing ─ `rise` successes in a row ─▶ well

Between the two a server is asked at the fast interval, so that a doubt ends soon. The logic is
here, what asks is in `checkers`, and what runs it in `checking`.
"""

from dataclasses import dataclass, replace
from enum import Enum
from random import Random


class Verdict(Enum):
    """What checks say of a server."""

    UNKNOWN = "unknown"
    """Not checked yet. It counts as well: nobody waits for a first check."""

    WELL = "well"

    DEGRADED = "degraded"
    """It works, and asks for less: Consul's warning, Envoy's `x-envoy-degraded`."""

    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict, and the words that belong to it."""

    verdict: Verdict = Verdict.UNKNOWN
    told: str = ""
    """What the latest check that counted saw: "HTTP 503", "no answer within 1 s"."""


@dataclass(frozen=True, slots=True)
class Result:
    """How one check went.

    Args:
        passed: the server does its work.
        degraded: it does, and asks for less.
        drains: it says itself that it is going (`x-envoy-immediate-health-check-fail`, gRPC's
            NOT_SERVING): believed at once, whatever `fall` says.
        told: for people.
    """

    passed: bool
    degraded: bool = False
    drains: bool = False
    told: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the checks of one server stand."""

    finding: Finding = Finding()
    in_a_row: int = 0
    """Results that contradict the verdict, since the last one that agreed."""

    @property
    def settled(self) -> bool:
        """Whether nothing contradicts the verdict."""
        return self.in_a_row == 0 and self.finding.verdict is not Verdict.UNKNOWN


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often to check, and how much to make of it.

    The defaults fit few clients and few servers; with M clients each server gets M checks an
    interval, so a hundred clients want a longer one, or none: requests find a dead server sooner
    than any check, and checks are for what gets no requests.

    Args:
        interval_s: between checks of a server whose state is settled. HAProxy's 2 s is for one
            proxy; 5 s makes a hundred clients 20 checks/s on each server.
        fast_interval_s: while it is changing.
        timeout_s: for one check.
        jitter: a share of the interval, drawn anew each time, so that clients don't beat as one.
        fall: failures in a row until it is failing (HAProxy: 3).
        rise: successes in a row until it is well again (HAProxy: 2).

    Raises:
        ValueError: a time isn't positive, the jitter isn't within 0 to 1, or a count is below 1.
    """

    interval_s: float = 5.0
    fast_interval_s: float = 1.0
    timeout_s: float = 1.0
    jitter: float = 0.1
    fall: int = 3
    rise: int = 2

    def __post_init__(self) -> None:
        if not min(self.interval_s, self.fast_interval_s, self.timeout_s) > 0:
            raise ValueError("checks: intervals and the timeout must be more than 0 s")
        if not 0 <= self.jitter < 1:
            raise ValueError(f"checks: jitter {self.jitter} isn't a share from 0 to below 1")
        if self.fall < 1 or self.rise < 1:
            raise ValueError("checks: fall and rise are counts of 1 or more")

    def after(self, progress: Progress, result: Result) -> Progress:
        """Where checks stand after one more result. The first counts at once."""
        finding = progress.finding
        seen = Finding(_verdict(result), result.told)
        if finding.verdict is Verdict.UNKNOWN or (result.drains and not result.passed):
            return Progress(seen)
        if result.passed != (finding.verdict is Verdict.FAILING):
            return Progress(seen)  # it agrees; well and degraded change places at once
        in_a_row = progress.in_a_row + 1
        if in_a_row >= (self.rise if result.passed else self.fall):
            return Progress(seen)
        return replace(progress, in_a_row=in_a_row)

    def wait_s(self, progress: Progress, random: Random) -> float:
        """How long until the next check."""
        interval_s = self.interval_s if progress.settled else self.fast_interval_s
        return interval_s * (1 + self.jitter * (2 * random.random() - 1))

    @property
    def found_dead_within_s(self) -> float:
        """How long after its death, at most, checks alone stop a server from being chosen."""
        slow_s = self.interval_s * (1 + self.jitter)
        fast_s = self.fast_interval_s * (1 + self.jitter)
        return slow_s + (self.fall - 1) * fast_s + self.fall * self.timeout_s


def _verdict(result: Result) -> Verdict:
    if not result.passed:
        return Verdict.FAILING
    return Verdict.DEGRADED if result.degraded else Verdict.WELL
