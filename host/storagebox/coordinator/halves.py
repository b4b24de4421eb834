"""What each half of a stereo pair is sent: its side, or the mono mix while the other is away.

A half that died says nothing. But amid music its acknowledgements come twenty times a second, so
half a second without one is no hiccup of Wi-Fi, which stalls for 300 ms. A wrong guess costs
little, since the mono mix only takes the place of one side; so it is made early, and taken back
late: a half counts as back when it has been well for a second.
"""

from __future__ import annotations

from phantom.wire import audio

# No sign of life amid music for so long, with the connection standing or being replaced.
LOST_AFTER_S = 0.5
# As long as it takes to be believed again: the other half has its side back no later than a
# second after it is there.
BACK_AFTER_S = 0.6


class Half:
    """Whether one half of a pair is there. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.lost = False
        self._well_since_s: float | None = None

    def look(self, *, quiet_s: float | None, now_s: float) -> bool:
        """True if it was lost or came back just now.

        `quiet_s` is how long it has given no sign of life amid music; None: it is known to be
        away, since its connection was refused or reset, or it has been dropped.
        """
        if quiet_s is None or quiet_s >= LOST_AFTER_S:
            self._well_since_s = None
            changed, self.lost = not self.lost, True
            return changed
        if not self.lost:
            return False
        if self._well_since_s is None:
            self._well_since_s = now_s
        if now_s - self._well_since_s < BACK_AFTER_S:
            return False
        self.lost = False
        self._well_since_s = None
        return True


def pick_of(side: str, *, dac_channels: int, other_lost: bool) -> str:
    """What a device is sent, from its side of the topology, its DAC and its other half."""
    if other_lost and side in (audio.LEFT, audio.RIGHT):
        return audio.MONO
    if side == audio.BOTH and dac_channels == 1:
        return audio.MONO
    return side
