"""The state of one check as it goes: TTLs that run out, thresholds that must be reached.

`Monitored` is a check of our own node with what drives it. Time is passed in, in seconds of any
clock that only goes forward.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from .definitions import CRITICAL, PASSING, WARNING, Check, CheckDefinition

# An output that changes without its status is told to readers this late, as Consul's
# `check_update_interval`: most outputs differ each time, and nobody acts on them.
OUTPUT_LATE_S: Final = 300.0


class Thresholds:
    """So many results of a kind in a row before they count; the first ever counts at once.

    Source: Consul's `StatusHandler` (agent/checks/check.go), whose counters start full.
    """

    def __init__(self, successes: int, failures: int) -> None:
        self._successes_needed = self._successes = successes
        self._failures_needed = self._failures = failures

    def result(self, status: str) -> str | None:
        """The status that this result leads to; None: none yet."""
        if status in (PASSING, WARNING):
            self._failures = 0
            self._successes += 1
            return status if self._successes >= self._successes_needed else None
        self._successes = 0
        self._failures += 1
        return CRITICAL if self._failures >= self._failures_needed else None


def http_status(code: int) -> str:
    """What an HTTP check makes of an answer's status."""
    if 200 <= code < 300:
        return PASSING
    return WARNING if code == 429 else CRITICAL


class Monitored:
    """A check of our own node. `published` is what readers of the catalogue see of it."""

    def __init__(self, check: Check, definition: CheckDefinition | None, now_s: float) -> None:
        """Without a `definition` nothing drives it: it stands for maintenance."""
        self.check = check
        self.definition = definition
        self.published: Check | None = None
        self._publish_at_s: float | None = None
        self._expires_s: float | None = None
        self._critical_since_s = now_s if check.status == CRITICAL else None
        probe = definition.probe if definition else None
        self.thresholds = Thresholds(probe.successes, probe.failures) if probe else None
        if self.has_ttl:
            self._restart(now_s)

    @property
    def has_ttl(self) -> bool:
        """Whether it is by TTL, so that its service must tell how it is."""
        return self.definition is not None and self.definition.ttl_s > 0

    def renew(self, check: Check, now_s: float) -> None:
        """It was registered anew, the same way: what drives it goes on."""
        self.check = check
        self.published = None
        if self.has_ttl:
            self._restart(now_s)

    def update(self, status: str, output: str, now_s: float) -> None:
        """A TTL check's service or a probe has told."""
        if self.has_ttl:
            self._restart(now_s)
        self._set(status, output, now_s)

    def _restart(self, now_s: float) -> None:
        assert self.definition is not None
        self._expires_s = now_s + self.definition.ttl_s

    def _set(self, status: str, output: str, now_s: float) -> None:
        if status != CRITICAL:
            self._critical_since_s = None
        elif self._critical_since_s is None:
            self._critical_since_s = now_s
        most = self.definition.output_max_bytes if self.definition else 0
        self.check = replace(self.check, status=status, output=_bounded(output, most))
        if self.published is not None and self.published.status == status:
            if self.published == self.check:
                self._publish_at_s = None
            elif self._publish_at_s is None:
                self._publish_at_s = now_s + OUTPUT_LATE_S

    def tick(self, now_s: float) -> None:
        """Let a TTL run out."""
        if self._expires_s is not None and now_s >= self._expires_s:
            self._expires_s = None
            last = self.check.output
            told = f" (last output before timeout follows): {last}" if last else ""
            self._set(CRITICAL, f"TTL expired{told}", now_s)

    def is_due_for_readers(self, now_s: float) -> bool:
        """Whether the catalogue is to be told: of a new status at once, of an output later."""
        if self.published is None or self.published.status != self.check.status:
            return True
        return self._publish_at_s is not None and now_s >= self._publish_at_s

    def note_published(self) -> None:
        """The catalogue has been told."""
        self.published = self.check
        self._publish_at_s = None

    @property
    def reap_at_s(self) -> float | None:
        """When its service is to be deregistered, if nothing improves."""
        if self._critical_since_s is None or not self.definition:
            return None
        if not self.definition.reap_after_s:
            return None
        return self._critical_since_s + self.definition.reap_after_s

    @property
    def due_s(self) -> float | None:
        """When time alone changes something next."""
        times = (self._expires_s, self._publish_at_s, self.reap_at_s)
        return min((each for each in times if each is not None), default=None)


def _bounded(output: str, most: int) -> str:
    """The beginning of an output that is too long, as Consul keeps it."""
    data = output.encode()
    if len(data) <= most:
        return output
    kept = data[:most].decode(errors="ignore")
    return f"{kept} ... (captured {most} of {len(data)} bytes)"
