"""Several resolvers in an order of preference: the first that knows somebody is believed.

    Merged([Consul("search"), Beacons(registrar, "search"), Static([...])])

They aren't mixed: two registries that both know a server know it by different ids, and it would
count twice.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.resolver import Publish, Resolver

PATIENCE_S = 2.0
"""How long, at the start, a later one waits for those before it: a list that somebody wrote down
is there at once, and the registry that should be preferred a moment later."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The membership of the first resolver whose latest isn't empty; empty if all are.

    Raises:
        ValueError: from `watch`, whatever one of them raises, or if there are none.
    """

    resolvers: Sequence[Resolver]
    patience_s: float = PATIENCE_S

    async def watch(self, publish: Publish) -> None:
        if not self.resolvers:
            raise ValueError("merged: give at least one resolver")
        choice = _Choice(publish, len(self.resolvers))
        timer = asyncio.get_running_loop().call_later(self.patience_s, choice.wait_no_more)
        try:
            async with asyncio.TaskGroup() as group:
                for at, resolver in enumerate(self.resolvers):
                    group.create_task(resolver.watch(choice.of(at)))
        except ExceptionGroup as faults:
            raise faults.exceptions[0] from None
        finally:
            timer.cancel()


class _Choice:
    def __init__(self, publish: Publish, count: int) -> None:
        self._publish = publish
        self._latest: list[tuple[Endpoint, ...] | None] = [None] * count
        self._published: tuple[Endpoint, ...] | None = None
        self._patient = True

    def of(self, at: int) -> Publish:
        def told(endpoints: Sequence[Endpoint]) -> None:
            self._latest[at] = tuple(endpoints)
            self._tell()

        return told

    def wait_no_more(self) -> None:
        self._patient = False
        self._tell()

    def _tell(self) -> None:
        for latest in self._latest:
            if latest is None and self._patient:
                return
            if latest:
                break
        else:
            if None in self._latest and self._published is None:
                return  # who hasn't spoken yet may know somebody
            latest = ()
        self._patient = False
        if latest != self._published:
            self._published = latest
            self._publish(latest)
