"""When to broadcast: often after a start, rarely in a big house, never all at once."""

from .peer import TICKS_MASK, since
from .wire import const

# The house as a whole broadcasts at most so often a second, however many there are.
_HOUSE_PER_S = const(16)
_PERIOD_MIN_MS = const(1000)
_PERIOD_MAX_MS = const(8000)
# After a start six beacons within 4 s, for a few may be lost; the first three ask, too.
_FIRST_MS = const(100)
_GAPS_MS = (250, 500, 800, 1000, 1200)
# With many about, each gives way: boards take some 500 beacons a second, and they come in bursts.
_ROOM_MS = const(8)
_ASKING = const(3)
_STEADY = const(6)
# Answers to a broadcast question are spread by so much for each peer, up to a second.
_SPREAD_MS = const(10)
_SPREAD_MIN_MS = const(40)
_SPREAD_MAX_MS = const(1000)


def period_ms(peers):
    """How often each speaks, by and by, in a house of so many."""
    return max(_PERIOD_MIN_MS, min(peers * 1000 // _HOUSE_PER_S, _PERIOD_MAX_MS))


class Announcing:
    """The instants of our broadcasts. random(n): a whole number from 0 to n - 1.

    gap_ms is how long we mean to be silent after the last one.
    """

    def __init__(self, random):
        self._random = random
        self._stage = _STEADY
        self._next_ms = 0
        self._sent_ms = 0
        self._answer_ms = None
        self.gap_ms = _PERIOD_MIN_MS

    def start(self, now_ms):
        """Say who we are, several times, and ask who else is here."""
        self._stage = 0
        self._next_ms = (now_ms + self._random(_FIRST_MS)) & TICKS_MASK

    def changed(self, now_ms):
        """Say at once what has changed, several times; no need to ask."""
        self._stage = min(self._stage, _ASKING)
        self._next_ms = now_ms

    def moved(self, now_ms):
        """As on a start, but at once: who hears of us now may not have heard of us before."""
        self._stage = 0
        self._next_ms = now_ms

    def asked(self, peers, now_ms):
        """Somebody has asked everybody: answer once, at a time of our own."""
        if self._answer_ms is None:
            spread = min(_SPREAD_MIN_MS + peers * _SPREAD_MS, _SPREAD_MAX_MS)
            # Not sooner after our last than a spread: many may ask.
            wait = max(0, min(spread, spread - since(now_ms, self._sent_ms)))
            self._answer_ms = (now_ms + wait + self._random(spread)) & TICKS_MASK

    def due(self, now_ms):
        """Whether to broadcast now."""
        if since(now_ms, self._next_ms) >= 0:
            return True
        return self._answer_ms is not None and since(now_ms, self._answer_ms) >= 0

    def sent(self, peers, now_ms):
        """We broadcast in a house of so many peers. True if it is to be a question."""
        asking = self._stage < _ASKING
        if self._stage < len(_GAPS_MS):
            # Those that started together must not go on together: no wave of a hundred.
            gap = max(_GAPS_MS[self._stage], peers * _ROOM_MS)
            gap = gap // 2 + self._random(gap)
            self._stage += 1
        else:
            self._stage = _STEADY
            gap = period_ms(peers)
            gap += self._random(gap // 5) - gap // 10
        self.gap_ms = gap
        self._next_ms = (now_ms + self.gap_ms) & TICKS_MASK
        self._sent_ms = now_ms
        self._answer_ms = None
        return asking
