"""One request through all its attempts: to whom, how that ended, whether to go on. No sockets.

All transports, and whoever writes another, drive it:

    attempts = Attempts(
        balancer, settings, method, extensions, replayable=True, key=None, now=now
    )
    pick = attempts.pick(now)
    ... send ...
    if attempts.again(pick, outcome, status, what, now):
        ... after attempts.pause_s(), pick once more ...
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from storagebox.balance.balancer import Balancer, Pick
from storagebox.balance.outcome import Outcome
from storagebox.balance.retry.hedging import Hedging
from storagebox.balance.retry.rules import Retries, is_safe

TIMEOUTS = ("connect", "read", "write", "pool")


@dataclass(frozen=True, slots=True)
class Settings:
    """How a transport treats its requests.

    Args:
        retries: when a request is sent to another endpoint; `None`: never.
        hedging: when a second endpoint is asked besides; `None`: never.
        deadline_s: from first to last attempt, the body included; a request's own
            `extensions={"deadline_s": 2.0}` counts instead. `None`: as long as each attempt's
            timeouts allow.
    """

    retries: Retries | None = field(default_factory=Retries)
    hedging: Hedging | None = None
    deadline_s: float | None = None


class Attempts:
    """The attempts of one request."""

    __slots__ = (
        "_again",
        "_balancer",
        "_key",
        "_picks",
        "_settings",
        "_tried",
        "deadline_at_s",
        "replayable",
        "safe",
        "said",
    )

    def __init__(
        self,
        balancer: Balancer,
        settings: Settings,
        method: str,
        extensions: Mapping[str, Any],
        *,
        replayable: bool,
        key: bytes | None,
        now: float,
    ) -> None:
        self._balancer = balancer
        self._settings = settings
        self._key = key
        self._tried: list[str] = []
        self._picks: list[Pick] = []
        self._again = 0
        self.safe = is_safe(method, extensions)
        self.replayable = replayable
        self.said: list[str] = []
        """What became of each attempt that failed, for the error's note."""
        deadline_s = extensions.get("deadline_s", settings.deadline_s)
        self.deadline_at_s: float | None = None if deadline_s is None else now + float(deadline_s)
        if settings.retries is not None:
            settings.retries.budget.deposit(now)
        hedging = settings.hedging
        if hedging is not None and not (
            settings.retries and hedging.budget is settings.retries.budget
        ):
            hedging.budget.deposit(now)

    @property
    def number(self) -> int:
        """How many there have been."""
        return len(self._tried)

    def pick(self, now: float) -> Pick:
        """Whom the next one goes to: somebody else than before, while there is somebody.

        Raises:
            NoEndpoint: there is nobody to send to.
        """
        pick = self._balancer.pick(now, self._key, self._tried, safe=self.safe and self.replayable)
        self._tried.append(pick.endpoint.id)
        self._picks.append(pick)
        return pick

    def outpacing(self, pick: Pick, now: float) -> None:
        """This one has been answered: those sent before it, and not answered yet, are outpaced."""
        for earlier in self._picks:
            if earlier is pick:
                return
            earlier.outpaced(now)

    @property
    def repeatable(self) -> bool:
        """Whether another attempt might follow a failure of the server, whatever it was."""
        return self._settings.retries is not None and self.safe and self.replayable

    def may_hedge(self) -> bool:
        """Whether a second endpoint may be asked at all; not yet whether the budget has it."""
        return self._settings.hedging is not None and self.safe and self.replayable

    def again(
        self, pick: Pick, outcome: Outcome, status: int | None, what: str, now: float
    ) -> bool:
        """An attempt has failed: whether there is to be another.

        Args:
            what: in a few words, for people: "503", "ConnectError".
        """
        self.said.append(f"{pick.endpoint.address}: {what}")
        retries = self._settings.retries
        if retries is None or self._again + 1 >= retries.attempts:
            return False
        if not retries.worth(outcome, status, safe=self.safe, replayable=self.replayable):
            return False
        if self.deadline_at_s is not None and now + self._pause_s(retries) >= self.deadline_at_s:
            return False
        if not retries.budget.withdraw(now):
            return False
        self._again += 1
        return True

    def pause_s(self) -> float:
        """How long to wait before the next attempt."""
        return self._pause_s(self._settings.retries) if self._settings.retries else 0.0

    def _pause_s(self, retries: Retries) -> float:
        known = self._balancer.size
        rounds = len(self._tried) // known if known else 0
        return retries.pause_s * 2 ** (rounds - 1) if rounds else 0.0

    def timeouts(self, given: Mapping[str, float | None], now: float) -> dict[str, float | None]:
        """The timeouts of one attempt: as given, and none beyond the deadline. In seconds."""
        if self.deadline_at_s is None:
            return dict(given)
        left_s = max(0.001, self.deadline_at_s - now)
        clipped: dict[str, float | None] = {}
        for name in TIMEOUTS:
            timeout_s = given.get(name)
            clipped[name] = left_s if timeout_s is None else min(timeout_s, left_s)
        return clipped

    def expired(self, now: float) -> bool:
        """Whether the deadline is over."""
        return self.deadline_at_s is not None and now >= self.deadline_at_s

    def note(self) -> str:
        """What was tried, to be put beside the last error."""
        return "tried " + ", ".join(self.said)
