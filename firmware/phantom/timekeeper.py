"""Who tells house time: the election that every device, and every box, holds for itself.

    a box before any device, then the lower id

Only those count that have house time and say so (`KEEPS_TIME` in their beacons). A device says so
once its own estimate is good, or when nobody else does. So a device never gives up the time it has
for a peer without; and as everyone asks a lower id than its own, nobody asks in a circle.

Any device answers who asks, so the election need not be agreed upon: for the second in which two
devices see it differently, both tell the same timeline. What changes when a server dies is only
whom one asks. Of two timelines that meet, the one whose server comes first in that order stays.

Pure: peers, state and `now_ms` are parameters.
"""

from .ticks import ticks_diff
from .wire import const, discovery, mux

# What a peer's beacon says: its flag, and the service that goes with it.
KEEPS_TIME = discovery.SERVES_TIME
SERVICE = "clock"

# What `turn` wants done.
NOTHING = const(0)
ASK = const(1)  # ask `server` from now on
ALONE = const(2)  # ask nobody: carry on from what is believed
FOUND = const(3)  # begin a timeline

# A better server must stay for this long before it is asked, twice as long after each change from
# one to another. Who asks nobody has nothing to lose by asking, and drifts as long as it doesn't;
# and a device tells the time less well than a box: requests wait until its loop comes round.
_HOLD_MS = const(5000)
_HOLD_MOST_MS = const(80000)
# With no change for this long the house is calm again.
_CALM_MS = const(120000)
# Beacons come once a second, so in three everybody has been heard. Each device of a lower id that
# should have begun a timeline gets as long again.
_FOUND_MS = const(3000)
# No peer has said for this long that it keeps time: then whoever has it steps in.
_LONELY_MS = const(1500)
# A server that answers nothing for this long is passed over, and tried again much later. Longer
# than the registrar takes to find a peer dead, which is by far the likelier cause.
_MUTE_MS = const(4500)
_MUTED_MS = const(60000)


class Timekeeper:
    """The view of the device or box `me`. `server` is the peer asked, None if nobody is."""

    def __init__(self, me, now_ms, role=mux.ROLE_DEVICE):
        self._rank = (role != mux.ROLE_BOX, me)
        self.server = None
        self.keeps = False  # whether this device may say that it keeps time
        self._asks = None  # the server's id
        self._began = now_ms  # when it was last known that nobody keeps time
        self._heard = now_ms  # when the server last answered, or was chosen
        self._better = None  # id of the one that would be asked, if it stays
        self._better_since = now_ms
        self._hold_ms = _HOLD_MS
        self._changed = now_ms
        self._muted = {}  # id -> since when

    def turn(self, peers, synced, settled, heard, now_ms):
        """One look at `peers` (with .id, .role, .flags, .services). `synced` and `settled` are the
        clock's; `heard` is whether the server has answered since the last turn."""
        if heard:
            self._heard = now_ms
        self._calm(now_ms)
        best, asked, before = self._look(peers, now_ms)
        if best is not None:
            self._began = now_ms
        lonely_ms = ticks_diff(now_ms, self._began)
        if not synced:
            self.keeps = False
            if best is None and lonely_ms >= _FOUND_MS * (before + 1):
                return self._ask(None, FOUND, now_ms)
        elif settled or lonely_ms >= _LONELY_MS:
            self.keeps = True
        if self.keeps and best is not None and self._rank < _rank(best):
            best = None
        return self._prefer(best, asked, synced, now_ms)

    def wait(self, now_ms):
        """This device belongs to no house: it listens anew once it does."""
        self._began = now_ms

    def resign(self, now_ms):
        """Whoever was asked is not any more: what is believed carries on."""
        self._ask(None, ALONE, now_ms)

    def _look(self, peers, now_ms):
        # The best to ask; who is asked now, if still there; how many before us have no time.
        best = asked = None
        before = 0
        for peer in peers:
            rank = _rank(peer)
            if not peer.flags & KEEPS_TIME:
                before += rank < self._rank
            elif SERVICE in peer.services and not self._mute(peer.id, now_ms):
                if peer.id == self._asks:
                    asked = peer
                if best is None or rank < _rank(best):
                    best = peer
        here = [peer.id for peer in peers] if self._muted else ()
        for peer_id in list(self._muted):
            if peer_id not in here:
                del self._muted[peer_id]
        return best, asked, before

    def _mute(self, peer_id, now_ms):
        if peer_id == self._asks and ticks_diff(now_ms, self._heard) >= _MUTE_MS:
            self._muted[peer_id] = now_ms
        if peer_id not in self._muted:
            return False
        if ticks_diff(now_ms, self._muted[peer_id]) < _MUTED_MS:
            return True
        del self._muted[peer_id]
        return False

    def _prefer(self, best, asked, synced, now_ms):
        # `asked` is None where nobody is asked, which a device that keeps time may well do.
        better = best.id if best is not None else None
        if better == self._asks:
            self._better = None
            self.server = best  # its address may have changed
            return NOTHING
        alone = self._asks is None and self.keeps
        if synced and (asked is not None or alone):
            better = better or self._rank[1]
            if self._better != better:
                self._better = better
                self._better_since = now_ms
                self._changed = now_ms
            worse = asked is not None and best is not None and _rank(best)[0] != _rank(asked)[0]
            hold_ms = _HOLD_MS if alone or worse else self._hold_ms
            if ticks_diff(now_ms, self._better_since) < hold_ms:
                self.server = asked
                return NOTHING
        return self._ask(best, ASK if best is not None else ALONE, now_ms)

    def _ask(self, peer, verdict, now_ms):
        if self._asks is not None or self.keeps:
            self._hold_ms = min(self._hold_ms * 2, _HOLD_MOST_MS)
        self._changed = now_ms
        self._heard = now_ms
        self._better = None
        self.server = peer
        self._asks = peer.id if peer is not None else None
        return verdict

    def _calm(self, now_ms):
        if ticks_diff(now_ms, self._changed) >= _CALM_MS:
            self._changed = now_ms
            self._hold_ms = _HOLD_MS


def _rank(peer):
    return (peer.role != mux.ROLE_BOX, peer.id)
