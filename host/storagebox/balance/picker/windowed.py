"""Round robin in a window of all servers, that slides or stays.

Test 2 of the experiments. The definition is this project's own: "windowed round robin" has none
that is public.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from storagebox.balance.node import Node
from storagebox.balance.picker import Picker
from storagebox.balance.picker.round_robin import Passing
from storagebox.balance.picker.weights import alike, shares


@dataclass(frozen=True, slots=True)
class WindowedRoundRobin:
    """In turn over `size` neighbours of the order that all clients share, that of ids.

    The window starts at (offset + ⌊now / period_s⌋) mod n. The offset is the client's own, drawn
    once as a share of the whole order, so that a membership change moves the window little.

    Who is to be spared (slow start, overload, degraded) is passed over as often as that says.

    Args:
        size: servers in the window; all, if there are fewer.
        period_s: after so long the window moves on by one server; `None`: it stays. One that
            stays loads the servers as unevenly as random subsets do; one that slides evens out in
            the long run, and is bunched at any moment.
    """

    size: int
    period_s: float | None = None
    measure: None = None
    refresh_s: None = None

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"window of {self.size} servers: give 1 or more")
        if self.period_s is not None and not self.period_s > 0:
            raise ValueError(f"window period {self.period_s} s: give more than 0, or None to stay")

    def picker(
        self, nodes: Sequence[Node], previous: Picker | None, random: Random, now: float
    ) -> Picker:
        offset = previous.offset if isinstance(previous, _Window) else random.random()
        size = min(self.size, len(nodes))
        turn = random.randrange(size)
        left = shares(nodes)
        passing = None if alike(left) else Passing(left, random)
        return _Window(nodes, size, self.period_s, offset, turn, passing)


class _Window:
    __slots__ = ("_nodes", "_passing", "_period_s", "_size", "_turn", "offset")

    def __init__(
        self,
        nodes: Sequence[Node],
        size: int,
        period_s: float | None,
        offset: float,
        turn: int,
        passing: Passing | None,
    ) -> None:
        self._nodes = nodes
        self._size = size
        self._period_s = period_s
        self._turn = turn
        self._passing = passing
        self.offset = offset

    def pick(self, now: float, key: bytes | None) -> Node:
        nodes = self._nodes
        start = int(self.offset * len(nodes))
        if self._period_s is not None:
            start += int(now // self._period_s)
        while True:
            turn = self._turn
            self._turn = turn + 1 if turn + 1 < self._size else 0
            at = (start + turn) % len(nodes)
            if self._passing is None or self._passing.takes(at):
                return nodes[at]
