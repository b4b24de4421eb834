"""A stream being sent: canonical PCM in, numbered chunks out to each device in time.

No clock and no socket here: `pump(now_us)` does what is due at that house time. Chunk n sounds at
start + n * 256 / 48000 s. It is sent to a device when its play time is no further away than the
reach and the device's window has room, and never once it could not arrive in time. So what waits
for a slow device is bounded, and a device that comes back is served from now on.

The reach is the session's lead at first, since that is all the time there is. Where the source
has more, it then grows by a quarter of the time that passes, until the device's window is its
limit: memory that a device has is worth more full than empty when the network stalls. A board may
say how far is far enough for it: its lead budget.

What if a device is to have another form of it in mid-song? The chunks that it holds from the first
that can still be exchanged on are called back by a mark, and sent anew. Play times don't move, so
nobody hears it but by what is different.

What if the source is late? Numbers can't wait, for they are time. When the next chunk's play time
is half a lead away, silence takes its number and the music goes on after it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from phantom.wire import CHUNK_FRAMES, RATE, audio, mux

from . import formats
from .formats import Frames, Variant

# The reach ends here: what 48 KiB hold of mono in IMA-ADPCM. Less than sources decode ahead.
FULL_REACH_US = 2_000_000
# Cut and encoded before they are due, so that encoding runs in batches and a tick of the box that
# comes late still finds its chunks.
AHEAD_US = 180_000
# Encode at least so many at a time while there is time: a pass of the ADPCM encoder takes 2 ms for
# one chunk and 5 ms for 24.
ENCODE_BATCH = 24
# A chunk needs this long to cross the network and a board's loop; later ones are skipped.
ARRIVAL_US = 10_000
# A board renders 85 ms ahead of what sounds. To replace chunks in its buffer takes more: the way
# there for a mark, back for a window, a tick of the box, and the way there for the chunks.
CHANGE_US = 180_000
# Where the lead is long, the network is slow: half of it, up to this.
CHANGE_MAX_US = 300_000
# Bytes that may wait in a link: what a catching-up device gets in one tick of the box.
BACKLOG_BYTES = 16_384
# The box pumps this often: about four chunks in one system call a device. It is taken off no
# one's lead, since what is due before the next tick is sent now.
TICK_US = 20_000

_SECOND_US = 1_000_000


class Pcm(Protocol):
    """Where the stream's frames come from: `storagebox.sources.ring.PcmRing`, for one."""

    @property
    def available(self) -> int:
        """Frames that can be read now."""
        ...

    @property
    def ended(self) -> bool:
        """All has been read and no more will come."""
        ...

    def read_into(self, out: Frames) -> int:
        """Copies up to len(out) frames; returns how many."""
        ...


class AudioLink(Protocol):
    """The part of `link.Link` that a stream uses."""

    def audio_room(self, backlog_bytes: int) -> int:
        """Payload bytes that may be queued now."""
        ...

    def send_audio(self, frames: list[bytes], size: int) -> None:
        """Queue whole frames and write what can be written."""
        ...

    def forget_audio(self) -> int:
        """Drop the frames that wait here; how many they were."""
        ...


@dataclass(eq=False)
class Output:
    """One device of a stream. `next_chunk` is the first one not yet sent or skipped."""

    link: AudioLink
    variant: Variant
    next_chunk: int
    end: int = 0  # after the last chunk that was ever sent
    changing: bool = False  # what the device holds is of another variant, and not called back yet
    since_us: int | None = None  # house time when it was ready for chunks
    budget_us: int | None = None  # no chunk is sent further ahead of its time than this
    sent_chunks: int = 0
    skipped_chunks: int = 0


@dataclass
class StreamCounters:
    """Silence put in for a late source, in chunks, and how late the box's own ticks came."""

    underflow_chunks: int = 0
    tick_late_max_us: int = 0


@dataclass
class _Encoded:
    first: int
    frames: list[bytes] = field(default_factory=list[bytes])

    @property
    def end(self) -> int:
        return self.first + len(self.frames)


class Stream:
    """One session's audio, from its first chunk to its last.

    `number` is 1 to 65535; `start_us` is the house time of chunk 0; `keep(frames)`, if given, gets
    the canonical PCM as it is sent, silence included. A box that goes on with a stream begins with
    `first_chunk`.
    """

    def __init__(
        self,
        number: int,
        start_us: int,
        lead_ms: int,
        pcm: Pcm,
        keep: Callable[[Frames], object] | None = None,
        first_chunk: int = 0,
    ) -> None:
        self.number = number
        self.start_us = start_us
        self.lead_us = lead_ms * 1000
        self._full_us = max(self.lead_us, FULL_REACH_US)
        self.counters = StreamCounters()
        self.outputs: list[Output] = []
        self._pcm = pcm
        self._keep = keep
        self._first = first_chunk  # the first that the source has frames of
        self._end = first_chunk  # the number of the next to be cut
        self._last: int | None = None  # number of the last chunk, once known; -1: no chunk at all
        # Canonical PCM of the latest chunks, by number modulo the capacity, and one being filled.
        self._capacity = self._capacity_for(self._full_us)
        self._history = np.zeros((self._capacity, CHUNK_FRAMES, 2), np.int16)
        self._filled = 0  # frames of the chunk being filled
        self._encoded: dict[Variant, _Encoded] = {}
        self._pumped_us: int | None = None

    # Arithmetic of play times

    @staticmethod
    def _chunks_in(span_us: int) -> int:
        return span_us * RATE // (CHUNK_FRAMES * _SECOND_US)

    def _capacity_for(self, reach_us: int) -> int:
        return self._chunks_in(reach_us + AHEAD_US + TICK_US) + 8

    def chunk_at(self, house_us: int) -> int:
        """The number of the chunk that plays at a house time; negative before the start."""
        return self._chunks_in(house_us - self.start_us)

    def play_us(self, chunk: int) -> int:
        """The house time at which a chunk starts to sound."""
        return self.start_us + chunk * CHUNK_FRAMES * _SECOND_US // RATE

    @property
    def last_chunk(self) -> int | None:
        """The number of the last chunk, once the source has ended; -1 if it gave nothing."""
        return self._last

    @property
    def end_us(self) -> int | None:
        """The house time at which the last chunk has sounded, once known."""
        return None if self._last is None else self.play_us(self._last + 1)

    # Outputs

    def add(
        self, link: AudioLink, variant: Variant, now_us: int, budget_ms: int | None = None
    ) -> Output:
        """One more device, to be served from its `next_chunk` on as soon as it is `ready`.

        `budget_ms`: how far ahead of their time its board wants chunks at most.
        """
        output = Output(link, variant, max(0, self._first_in_time(now_us)))
        output.budget_us = None if budget_ms is None else budget_ms * 1000
        self.outputs.append(output)
        return output

    def ready(self, output: Output, wants: int, now_us: int) -> None:
        """The device has opened the stream; `wants` is the first chunk that it hasn't got."""
        output.next_chunk = output.end = max(wants, self._first_in_time(now_us), 0)
        output.changing = False
        output.since_us = now_us

    def change(self, output: Output, variant: Variant, now_us: int) -> None:
        """Another pick or codec from the first chunk on that can still be exchanged."""
        if variant == output.variant:
            return
        output.variant = variant
        if output.since_us is not None:
            forgotten = output.link.forget_audio()
            output.sent_chunks -= forgotten
            output.next_chunk -= forgotten
            output.changing = True
            self._call_back(output, now_us)

    def set_lead(self, lead_ms: int) -> None:
        """Send so far ahead from now on. Play times stay as they are."""
        self.lead_us = lead_ms * 1000
        self._full_us = max(self.lead_us, FULL_REACH_US)
        old, before = self._history, self._capacity
        self._capacity = max(before, self._capacity_for(self._full_us))
        if self._capacity > before:
            self._history = np.zeros((self._capacity, CHUNK_FRAMES, 2), np.int16)
            kept = np.arange(max(0, self._end - before + 1), self._end + 1)
            self._history[kept % self._capacity] = old[kept % before]

    def remove(self, output: Output) -> None:
        """Stop serving a device."""
        if output in self.outputs:
            self.outputs.remove(output)

    def finished(self, output: Output) -> bool:
        """All chunks of the stream have been sent to this device, or skipped for it."""
        return self._last is not None and output.next_chunk > self._last

    def _first_in_time(self, now_us: int) -> int:
        return self.chunk_at(now_us + ARRIVAL_US) + 1

    # The pump

    def pump(self, now_us: int) -> None:
        """Read, encode and send what is due."""
        if self._pumped_us is not None:
            late_us = now_us - self._pumped_us - TICK_US
            self.counters.tick_late_max_us = max(self.counters.tick_late_max_us, late_us)
        self._pumped_us = now_us
        self._cut(now_us)
        self._deliver(now_us)

    def _cut(self, now_us: int) -> None:
        """Read ahead into the history, as far as the source has come."""
        wanted = self.chunk_at(now_us + self._full_us + TICK_US + AHEAD_US) + 1
        while self._last is None and self._end < wanted:
            slot = self._history[self._end % self._capacity]
            self._filled += self._pcm.read_into(slot[self._filled :])
            if self._filled == CHUNK_FRAMES:
                self._chunk_done(slot)
            elif self._pcm.ended:
                if self._filled:
                    slot[self._filled :] = 0
                    self._chunk_done(slot)
                self._last = self._end - 1
            else:
                break
        if self._last is None:
            self._fill_underflow(now_us)

    def _chunk_done(self, slot: Frames) -> None:
        if self._keep:
            self._keep(slot)
        self._filled = 0
        self._end += 1

    def _fill_underflow(self, now_us: int) -> None:
        """Silence for chunks that the source owes with half a lead to go."""
        due = self.chunk_at(now_us + self.lead_us // 2) + 1
        if self._end >= due or self._end == self._first:
            return
        held = self._history[self._end % self._capacity][: self._filled].copy()
        while self._end < due:
            slot = self._history[self._end % self._capacity]
            slot[:] = 0
            filled, self._filled = self._filled, 0
            self._chunk_done(slot)
            self._filled = filled
            self.counters.underflow_chunks += 1
        self._history[self._end % self._capacity][: self._filled] = held

    def _reach_us(self, output: Output, now_us: int) -> int:
        """How far ahead of their play time an output gets its chunks now."""
        if output.since_us is None:
            return 0
        grown_us = self.lead_us + (now_us - output.since_us) // 4
        reach_us = min(grown_us, self._full_us)
        return min(reach_us, output.budget_us or reach_us) + TICK_US

    def _deliver(self, now_us: int) -> None:
        in_time = max(0, self._first_in_time(now_us))
        reach_us = max((self._reach_us(each, now_us) for each in self.outputs), default=0)
        self._encode(min(self._end, self.chunk_at(now_us + reach_us) + 1), in_time)
        for output in self.outputs:
            if output.changing:
                self._call_back(output, now_us)
            if not output.changing and output.since_us is not None:
                self._deliver_to(output, in_time, now_us)

    def _deliver_to(self, output: Output, in_time: int, now_us: int) -> None:
        number = output.next_chunk
        due = min(self._end, self.chunk_at(now_us + self._reach_us(output, now_us)) + 1)
        if number >= due:
            return
        if number < in_time:
            skipped = min(in_time, due) - number
            output.skipped_chunks += skipped
            output.next_chunk = number = number + skipped
        variant = output.variant
        # A mark must always find room.
        room = output.link.audio_room(BACKLOG_BYTES) - audio.HEADER_BYTES
        count = min(due - number, room // variant.payload_bytes)
        if count > 0:
            encoded = self._encoded[variant]
            at = number - encoded.first
            frames = encoded.frames[at : at + count]
            output.next_chunk = number + count
            output.end = max(output.end, output.next_chunk)
            output.sent_chunks += count
            output.link.send_audio(frames, count * variant.frame_bytes)

    def _call_back(self, output: Output, now_us: int) -> None:
        """Have the device let go of what it holds of another variant, but for what is too late."""
        if output.link.audio_room(BACKLOG_BYTES) < audio.HEADER_BYTES:
            return
        margin_us = min(max(self.lead_us // 2, CHANGE_US), CHANGE_MAX_US)
        first = min(output.next_chunk, max(0, self.chunk_at(now_us + margin_us) + 1))
        output.changing = False
        if first < output.end:
            output.sent_chunks -= output.next_chunk - first
            output.next_chunk = first
            variant = output.variant
            mark = audio.header(
                self.number, variant.codec | audio.REPLACE, variant.channels, first
            )
            frame = mux.frame(mux.AUDIO, mark)
            output.link.send_audio([frame], len(frame))

    def _encode(self, due: int, oldest: int) -> None:
        """Make sure that chunks `oldest` to `due` exist in every variant in use."""
        used = {output.variant for output in self.outputs}
        for variant in self._encoded.keys() - used:
            del self._encoded[variant]
        groups: dict[int, list[Variant]] = {}
        for variant in used:
            encoded = self._encoded.setdefault(variant, _Encoded(oldest))
            if encoded.end < oldest:
                encoded.first = oldest
                encoded.frames.clear()
            elif encoded.first < oldest:
                del encoded.frames[: oldest - encoded.first]
                encoded.first = oldest
            # Early enough for a batch, or because it can't wait.
            if encoded.end < due or self._end - encoded.end >= ENCODE_BATCH:
                groups.setdefault(encoded.end, []).append(variant)
        for first, variants in groups.items():
            if first >= self._end:
                continue
            pcm = self._history_of(first, self._end)
            for variant, frames in formats.encode(pcm, self.number, first, variants).items():
                self._encoded[variant].frames += frames

    def _history_of(self, first: int, end: int) -> Frames:
        indices = np.arange(first, end) % self._capacity
        return self._history[indices].reshape(-1, 2)
