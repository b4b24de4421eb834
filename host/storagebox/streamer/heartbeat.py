"""Signs of life of one link: when to ask the device for one, and when there have been too few.

The link sets what it heard, said, called and played as it happens; nothing here has a socket or
a clock of its own.
"""

from __future__ import annotations

from phantom.handshake import AUTH_MS

# docs/protocol.md: 3 s without a byte and the link is dead; whoever was silent for 1 s sends PING.
DEAD_S = 3.0
PING_AFTER_S = 1.0
# The device gives up on whoever has not proved to be of its installation by then; so does the box.
AUTH_S = AUTH_MS / 1000
# In the middle of music, a new connection is kept busy with pings for so long. A lost segment is
# found out by those that come after it; alone, it would wait for the timer (RFC 8985).
YOUNG_S = 0.5
# A call of a quiet link that is not acknowledged is followed by pings for so long: alone and lost,
# it would wait 200 ms and more for TCP's timer; those behind it show its loss at once.
URGED_S = 0.5
# A link that had audio so lately is in the middle of music: a stuck one is given none.
MUSIC_LASTS_S = 2.0
# A device that plays is heard of every 20 ms; one that waits to begin is asked.
PROBE_S = 0.15


class Heartbeat:
    """What a link has heard and said. Call `begin` with each connection, and `tick` often."""

    def __init__(self) -> None:
        # Since the last tick: bytes came, bytes went, a call was queued, audio was.
        self.heard = self.spoke = self.called = self.carried_audio = False
        self.heard_at_s = 0.0
        self.music_until_s = 0.0  # outlasts a connection: the next one is amid music, too
        self._began_at_s = self._spoke_at_s = self._probed_at_s = 0.0
        self._called_at_s = -URGED_S

    def begin(self, now_s: float) -> None:
        """A connection stands."""
        self._began_at_s = self.heard_at_s = self._spoke_at_s = now_s

    def tick(self, now_s: float) -> None:
        """Date what has happened since the last tick."""
        if self.heard:
            self.heard_at_s = now_s
        if self.spoke:
            self._spoke_at_s = now_s
        if self.called:
            self._called_at_s = now_s
        if self.carried_audio:
            self.music_until_s = now_s + MUSIC_LASTS_S
        self.heard = self.spoke = self.called = self.carried_audio = False

    def amid_music(self, now_s: float) -> bool:
        """Whether audio was queued lately."""
        return now_s < self.music_until_s

    def end_reason(self, now_s: float, proved: bool) -> str | None:
        """Why the connection is to be given up, by the words of `endings`; None while it isn't.

        `proved`: the device has shown who it is.
        """
        if not proved and now_s - self._began_at_s >= AUTH_S:
            return "no hello"
        if now_s - self.heard_at_s >= DEAD_S:
            return "silent"
        return None

    def owes(self, now_s: float) -> bool:
        """Nothing was said for so long that the device may take this end for dead."""
        return now_s - self._spoke_at_s >= PING_AFTER_S

    def probes(self, now_s: float) -> bool:
        """Amid music: whether to ask a device that says nothing for a sign of life, now."""
        quiet = now_s - self.heard_at_s >= PROBE_S and now_s - self._probed_at_s >= PROBE_S
        if quiet or now_s - self._began_at_s < YOUNG_S:
            self._probed_at_s = now_s
            return True
        return False

    def urges(self, now_s: float) -> bool:
        """Without music: whether a call was made so lately that it may be lost, unnoticed."""
        return now_s - self._called_at_s < URGED_S
