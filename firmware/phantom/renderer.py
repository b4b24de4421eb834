"""Plays one stream in time: for each block of 256 frames it hands the DAC the right ones.

For a block that will start to sound at a known tick, house time says which frame of the stream is
due. The difference to the frame that is next in line is the error:

    within about half a frame    copy 256 frames
    beyond it                    take 255 or 257 frames and resample them to 256
    beyond 20 ms, or after a gap fade out, jump to the frame that is due, fade in

A stream starts inside running silence: the block in which frame 0 is due carries silence up to it.
One that is given up for another, or closed, fades out over one block first.

All positions are in thousandths of a frame ("mf") relative to an anchor chunk, so that they are
31-bit small integers: 1 us is 48 mf. The anchor moves with every fit of the clock.
"""

from time import ticks_diff

from micropython import const

from . import dsp
from .ring import ChunkRing
from .wire import CHUNK_FRAMES, audio

IDLE = const(0)
SYNCING = const(1)  # a stream is open but house time is not known
WAITING = const(2)  # its first frame lies ahead
PLAYING = const(3)
STARVED = const(4)  # its chunks are missing
STATE_NAMES = ("idle", "syncing", "waiting", "playing", "starved")

_FRAME_MF = const(1000)
_BLOCK_MF = const(256000)
_MF_PER_US = const(48)
_MF_PER_THIRD = const(16)
# Where the crystals drift apart, half a frame decides which way is nearer, and a little more
# keeps noise from flipping it. Against the drift, or without one, only the belief in house time
# has moved: it gets more room, so that a steady board repeats and loses no frame at all.
_TRIM_MF = const(540)
_TRIM_AGAINST_MF = const(800)
_DRIFT_SKEW = const(64)  # 1 ppm
# 20 ms: faster to jump, muted, than to trim (multi-room practice is 2 to 50 ms).
_JUMP_MF = const(960000)
# Positions beyond this from the anchor are not computed: 5.6 s.
_FAR_MF = const(0x10000000)
# Anchors older than this are drawn anew even without a fit, so that products stay small.
_ANCHOR_US = const(2000000)

# A latency trim moves half a frame a block, so a frame is left out or repeated every 11 ms: 3.4
# cents off pitch for as long as it takes, where 5 cents are about the least that ears tell apart.
_SHIFT_MF = const(500)

_UNITY_Q15 = const(32768)
# The stage holds what is left of a block, the block after it and the frame of look-ahead.
_STAGE_FRAMES = const(1024)
_TRIM_FRAMES = const(258)
_LAST_CHUNK = const(0x3FFFFFFF)


class Renderer:
    """One stream at a time, from `ring_bytes` of jitter buffer to blocks for an output."""

    def __init__(self, clock, ring_bytes):
        self._clock = clock
        self._output = None  # set by attach
        self.ring = ChunkRing(ring_bytes)
        self._stage = bytearray(_STAGE_FRAMES * 4)
        self.state = IDLE
        self.stream = 0
        self._start_us = 0
        self._end = _LAST_CHUNK  # first chunk that is not played any more
        # Reader: frame _offset of chunk `chunk` is next; _staged frames are staged from _at on.
        self.chunk = 0
        self._offset = 0
        self._at = 0
        self._staged = 0
        self._leaving = False  # what is staged is the rest of a stream that was given up
        # Anchor: at ticks _anchor the stream is _anchor_mf after the start of chunk _anchor_chunk.
        self._anchor = 0
        self._anchor_mf = 0
        self._anchor_chunk = 0
        self._anchor_version = -1
        self._late_mf = _TRIM_AGAINST_MF  # errors that are trimmed
        self._early_mf = -_TRIM_AGAINST_MF
        self._aligned = False
        self._shift_mf = 0  # played so much later than is due
        self._shift_to_mf = 0
        self._sounds = False  # the last block ended with the stream's sound
        self._level = _UNITY_Q15  # of a block that sounds, at its end
        self._level_to = _UNITY_Q15
        self._level_step = _UNITY_Q15  # a block
        self.error_mf = 0
        self.played_blocks = 0
        self.underruns = 0  # times the stream was due and not there
        self.trims = 0
        self.realigns = 0

    def attach(self, output):
        """Render for this output: it tells when its blocks sound."""
        self._output = output

    # Control

    def open(self, stream, start_us, first_chunk=0):
        """Play `stream`, whose chunk 0 is due at house time `start_us`, instead of any other.

        Its chunks are put into `ring`, whoever makes them.
        """
        self._give_up()
        self.ring.open(stream, first_chunk)
        self.stream = stream
        self._start_us = start_us
        self._end = _LAST_CHUNK
        self.chunk = first_chunk
        self._offset = 0
        # A beginning is played as it is; whoever joins in the middle is faded in.
        if not self._leaving:
            self._sounds = not first_chunk
        self._anchor_version = -1
        self.played_blocks = 0
        self.state = SYNCING

    def plays(self, stream, start_us):
        """Whether this very stream is open: a sender that lost its connection goes on with it."""
        return self.state != IDLE and stream == self.stream and start_us == self._start_us

    def close(self, at_chunk=None):
        """Stop before chunk `at_chunk`, or now. If there is more after it, that fades out."""
        if at_chunk is not None and self.state != IDLE:
            self._end = max(at_chunk, self.ring.next)
            if self._aligned or self.chunk < at_chunk:
                return
        self._give_up()
        self.ring.open(0, 0)
        self.stream = 0
        self.state = IDLE

    def level(self, gain_q15, ramp_blocks):
        """Go to a gain within `ramp_blocks` blocks of 5.3 ms, from where it is now."""
        self._level_to = gain_q15
        if not self._leaving and not (self._aligned and self._sounds):
            self._level = gain_q15
        self._level_step = max(1, -(-abs(gain_q15 - self._level) // max(1, ramp_blocks)))

    def trim_us(self, us):
        """Play `us` later than is due, within 200 ms either way; negative is earlier.

        While a stream plays, it gets there by 2 ms a second.
        """
        self._shift_to_mf = us * _MF_PER_US

    def error_us(self):
        """The last block's believed error, microseconds; positive is late."""
        return self.error_mf // _MF_PER_US

    # Blocks

    def render(self, block, number):
        """Fill `block` (1024 bytes) as the output's block `number`. Allocates nothing."""
        if self._leaving:
            self._fade_away(block)
            self._leaving = False
            self._unstage()
            self._sounds = not self.chunk
            self._level = self._level_to
            return
        if self.state == IDLE or not self._anchored():
            dsp.silence(block, 0, CHUNK_FRAMES * 2)
            return
        if self._shift_mf != self._shift_to_mf:
            self._shift()
        due = self._due_mf(number)
        if not self._aligned:
            self._begin(block, due)
            return
        here = (self.chunk - self._anchor_chunk) * _BLOCK_MF + self._offset * _FRAME_MF
        error = due - here
        self.error_mf = error
        if error > _JUMP_MF or error < -_JUMP_MF:
            self._leave(block)
            return
        if (error > self._late_mf or error < self._early_mf) and self._fill(_TRIM_FRAMES):
            self.trims += 1
            self._make(block, CHUNK_FRAMES + 1 if error > 0 else CHUNK_FRAMES - 1)
        elif self._fill(CHUNK_FRAMES):
            self._make(block, CHUNK_FRAMES)
        else:
            self._run_out(block)

    def _make(self, block, take):
        # `take` staged frames become one block.
        if take == CHUNK_FRAMES:
            dsp.copy(block, 0, self._stage, self._at * 2, CHUNK_FRAMES * 2)
        else:
            dsp.resample(block, 0, self._stage, self._at * 2, 2, take)
        self._advance(take)
        self._scale(block)
        if self.chunk > self._end:
            self._aligned = False  # the end has been played out
            self.close()

    def _begin(self, block, due):
        # Not in the stream yet: silence, or the block in which it starts.
        here = (self.chunk - self._anchor_chunk) * _BLOCK_MF + self._offset * _FRAME_MF
        lead = here - due  # how far ahead of this block's start the reader's frame is due
        dsp.silence(block, 0, CHUNK_FRAMES * 2)
        if not self._output.sure():
            return
        if lead >= _BLOCK_MF - _FRAME_MF // 2:
            if self.state == SYNCING:
                self.state = WAITING
            return
        if lead < -_FRAME_MF // 2:
            # Its time has passed: go to the frame that is due at this block's end.
            self._seek(due + _BLOCK_MF)
            return
        silent = (lead + _FRAME_MF // 2) // _FRAME_MF
        if not self._fill(CHUNK_FRAMES):
            if self.state == WAITING:
                self.underruns += 1
            self.state = STARVED
            return
        sound = CHUNK_FRAMES - silent
        dsp.copy(block, silent * 2, self._stage, self._at * 2, sound * 2)
        self._advance(sound)
        self._aligned = True
        self.state = PLAYING
        self.error_mf = silent * _FRAME_MF - lead
        self._scale(block)

    def _leave(self, block):
        # Far off: this block fades out where it stands, the next ones begin anew.
        self._fill(CHUNK_FRAMES)
        self._advance(self._fade_away(block))
        self._aligned = False
        self.realigns += 1

    def _run_out(self, block):
        # The next chunk is not here: what is left fades out.
        self._advance(self._fade_away(block))
        self._aligned = False
        self.state = STARVED
        self.underruns += 1

    def _give_up(self):
        # The stream is over at once: what comes next of it will fade away.
        if self._aligned:
            self._fill(CHUNK_FRAMES)
            self._leaving = self._sounds
            self._aligned = False
        if not self._leaving:
            self._unstage()

    def _fade_away(self, block):
        # What is staged, to silence; returns the frames it was.
        frames = min(self._staged, CHUNK_FRAMES)
        dsp.silence(block, 0, CHUNK_FRAMES * 2)
        dsp.copy(block, 0, self._stage, self._at * 2, frames * 2)
        if frames:
            dsp.gain(block, 0, frames, self._level if self._sounds else 0, 0)
        self._sounds = False
        return frames

    def missed(self):
        """The output ran dry: what was rendered for a block may sound later than meant."""
        if self._aligned:
            self._aligned = False
            self._sounds = False
            self.underruns += 1
            self.realigns += 1

    # The reader

    def _fill(self, frames):
        # Stage `frames` frames; False if the chunk for them is missing. The chunk at the end fades
        # away, if it is here; beyond is silence.
        ring = self.ring
        while self._staged < frames:
            over = ring.next >= self._end
            if not over and not ring.ready():
                return False
            if self._at:
                dsp.copy(self._stage, 0, self._stage, self._at * 2, self._staged * 2)
                self._at = 0
            to = self._staged * 2
            at = ring.take()
            if at < 0 or ring.next - 1 > self._end:  # _end + 1 may be no small integer
                dsp.silence(self._stage, to, CHUNK_FRAMES * 2)
            else:
                self._decode(at, to)
                if over:
                    dsp.gain(self._stage, to, CHUNK_FRAMES, _UNITY_Q15, 0)
            self._staged += CHUNK_FRAMES
        return True

    def _decode(self, at, to):
        # The chunk at byte `at` of the ring's memory, as stereo from sample `to` of the stage on.
        stage = self._stage
        memory = self.ring.memory
        channels = self.ring.channels
        if self.ring.codec == audio.PCM16:
            if channels == 2:
                dsp.copy(stage, to, memory, at >> 1, CHUNK_FRAMES * 2)
            else:
                dsp.spread(stage, to, memory, at >> 1, CHUNK_FRAMES)
            return
        for channel in range(channels):
            dsp.decode_adpcm(stage, to + channel, channels, memory, at, dsp.ADPCM_TABLES)
            at += audio.ADPCM_CHANNEL_BYTES
        if channels == 1:
            dsp.spread(stage, to, stage, to, CHUNK_FRAMES)

    def _advance(self, frames):
        self._at += frames
        self._staged -= frames
        offset = self._offset + frames
        while offset >= CHUNK_FRAMES:
            offset -= CHUNK_FRAMES
            self.chunk += 1
        self._offset = offset

    def _unstage(self):
        self._at = 0
        self._staged = 0
        self._offset = 0

    def _seek(self, mf):
        # Make the first chunk that starts at or after a stream position the reader's.
        chunk = self._anchor_chunk - (-mf // _BLOCK_MF)
        self._unstage()
        if chunk > self.ring.next:
            self.ring.skip_to(chunk)
        self.chunk = self.ring.next
        self._sounds = False
        if self.chunk >= self._end:
            self.close()

    # Time

    def _anchored(self):
        clock = self._clock
        if not clock.synced:
            return False
        now = self._output.now
        if clock.version != self._anchor_version or ticks_diff(now, self._anchor) > _ANCHOR_US:
            self._drop_anchor(now)
        return True

    def _drop_anchor(self, now):
        # The only place with large integers: a few times a second, or once a fit.
        clock = self._clock
        position = (clock.house_us(now) - self._start_us) * _MF_PER_US
        chunk = self.chunk
        mf = position - chunk * _BLOCK_MF
        if mf > _FAR_MF:
            mf = _FAR_MF
        elif mf < -_FAR_MF:
            mf = -_FAR_MF
        self._anchor = now
        self._anchor_mf = mf
        self._anchor_chunk = chunk
        self._anchor_version = clock.version
        skew = clock.skew
        self._late_mf = _TRIM_MF if skew > _DRIFT_SKEW else _TRIM_AGAINST_MF
        self._early_mf = -_TRIM_MF if skew < -_DRIFT_SKEW else -_TRIM_AGAINST_MF

    def _due_mf(self, number):
        # The stream position that is due when the output's block `number` starts to sound.
        x3 = self._output.sounds_x3(number, self._anchor)
        drift = ((x3 >> 8) * self._clock.skew) // 15625
        return self._anchor_mf + x3 * _MF_PER_THIRD + drift - self._shift_mf

    def _shift(self):
        # Towards the latency trim: slowly while it would be heard.
        ahead = self._shift_to_mf - self._shift_mf
        if self._aligned:
            ahead = max(-_SHIFT_MF, min(_SHIFT_MF, ahead))
        self._shift_mf += ahead

    # Level

    def _scale(self, block):
        # A block of the stream's sound: at its level, and faded in after silence.
        start = self._level
        to = self._level_to
        if start < to:
            to = min(to, start + self._level_step)
        elif start > to:
            to = max(to, start - self._level_step)
        dsp.gain(block, 0, CHUNK_FRAMES, start if self._sounds else 0, to)
        self._level = to
        self._sounds = True
        self.played_blocks += 1
