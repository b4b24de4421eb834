"""From a volume that people turn to the gain that samples are multiplied by.

    gain = (volume / 10000)^3 * 10^(level_db10 / 200)

The cubic law is the one of software mixers (PulseAudio's `pa_sw_volume_from_linear`): half way
up is -18 dB, about half as loud twice over. Volumes are hundredths of a percent; level trims are
tenths of a decibel, which make rooms with unlike loudspeakers equally loud. Integers only.
"""

from micropython import const

FULL = const(10000)

_UNITY_Q15 = const(32768)
# 10^(-1/200) in 30 bits: a tenth of a decibel less.
_TENTH_DB_Q30 = const(1061450803)


def gain_q15(volume, level_db10=0):
    """The gain, 0 to 32768, of a volume 0 to 10000 and a level trim -240 to 0."""
    factor = _TENTH_DB_Q30
    level = 1 << 30
    steps = -level_db10
    while steps:  # square and multiply
        if steps & 1:
            level = level * factor >> 30
        factor = factor * factor >> 30
        steps >>= 1
    whole = FULL * FULL * FULL
    level = (level * _UNITY_Q15 + (1 << 29)) >> 30
    return (volume * volume * volume * level + whole // 2) // whole


class Volume:
    """The volume of one device. `max_volume` holds it down for good; mute is apart from it."""

    def __init__(self):
        self.volume = FULL
        self.mute = False
        self.max_volume = FULL
        self.level_db10 = 0

    def set(self, volume=None, mute=None):
        """Change what is given; beyond the limit is the limit."""
        if volume is not None:
            self.volume = min(volume, self.max_volume)
        if mute is not None:
            self.mute = mute

    def limit(self, max_volume, level_db10):
        """What the topology says of this device."""
        self.max_volume = max_volume
        self.level_db10 = level_db10
        self.volume = min(self.volume, max_volume)

    def gain_q15(self):
        """What samples are to be multiplied by now."""
        return 0 if self.mute else gain_q15(self.volume, self.level_db10)
