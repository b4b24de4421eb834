"""What was published last, and for how long it holds when a registry says that nobody is there.

An empty answer is more often a registry's fault than the truth: it has just started, lost its
state, or sees a partition. So after a membership with somebody in it, an empty one counts only
once it has been said for a while. Whoever is really gone is found out by requests and checks.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from storagebox.balance.endpoint import Endpoint, distinct
from storagebox.balance.resolver import Publish

GRACE_S = 60.0
"""How long an empty answer must last. A restarted agent has its services back well within it."""


class Timer(Protocol):
    """What `later` gives back (`asyncio.TimerHandle`)."""

    def cancel(self) -> None:
        """It isn't to happen."""
        ...


Later = Callable[[float, Callable[[], None]], Timer]
"""Call something after so many seconds: a loop's `call_later`."""


class Holding:
    """Publishes what differs from the last, and an empty membership only after `grace_s`."""

    def __init__(self, publish: Publish, grace_s: float, later: Later) -> None:
        self._publish = publish
        self._grace_s = grace_s
        self._later = later
        self._last: tuple[Endpoint, ...] | None = None
        self._emptying: Timer | None = None

    def see(self, endpoints: Iterable[Endpoint]) -> None:
        """The registry says this."""
        current = distinct(endpoints)
        if current or not self._last:
            self.close()
            self._tell(current)
        elif self._emptying is None:
            self._emptying = self._later(self._grace_s, self._let_go)

    def close(self) -> None:
        """Nothing will be published any more by itself."""
        if self._emptying is not None:
            self._emptying.cancel()
            self._emptying = None

    def _let_go(self) -> None:
        self._emptying = None
        self._tell(())

    def _tell(self, current: tuple[Endpoint, ...]) -> None:
        if current != self._last:
            self._last = current
            self._publish(current)
