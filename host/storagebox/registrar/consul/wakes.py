"""Who waits for what: callbacks by topic, called when something of that topic has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

Wake = Callable[[], object]


class Wakes:
    """Topics are plain texts; a callback is called once for each topic that woke it."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[int, Wake]] = {}
        self._count = 0

    def watch(self, topics: Iterable[str], wake: Wake) -> Callable[[], None]:
        """Call `wake` at each change from now on; returns how to end that."""
        self._count += 1
        number, watched = self._count, tuple(topics)
        for topic in watched:
            self._waiting.setdefault(topic, {})[number] = wake

        def end() -> None:
            for topic in watched:
                waiting = self._waiting.get(topic)
                if waiting is not None and waiting.pop(number, None) and not waiting:
                    del self._waiting[topic]

        return end

    def __call__(self, topics: Iterable[str]) -> None:
        """Something of these topics has changed."""
        for topic in topics:
            for wake in list(self._waiting.get(topic, {}).values()):
                wake()

    @property
    def waiting(self) -> int:
        """How many callbacks there are, once for each topic."""
        return sum(map(len, self._waiting.values()))
