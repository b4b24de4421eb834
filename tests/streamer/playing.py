"""A stream under a clock of the test's own, and links that keep what they are sent."""

import numpy as np
from numpy.typing import NDArray

from phantom.wire import CHUNK_FRAMES, RATE, audio, mux
from storagebox.streamer.formats import Variant
from storagebox.streamer.stream import TICK_US, Output, Stream

LEAD_MS = 250
START_US = 1_000_000_000
CHUNK_US = CHUNK_FRAMES * 1_000_000 / RATE
STEREO = Variant(audio.BOTH, audio.PCM16)
WIDE_OPEN = 1 << 30


class Music:
    """A source: noise of a given length, of which so much has been delivered."""

    def __init__(self, chunks: float, seed: int = 1) -> None:
        count = round(chunks * CHUNK_FRAMES)
        noise = np.random.default_rng(seed).integers(-20000, 20000, (count, 2))
        self.frames: NDArray[np.int16] = noise.astype(np.int16)
        self.delivered = count
        self.position = 0

    @property
    def available(self) -> int:
        return self.delivered - self.position

    @property
    def ended(self) -> bool:
        return self.position == len(self.frames)

    def read_into(self, out: NDArray[np.int16]) -> int:
        count = min(self.available, len(out))
        out[:count] = self.frames[self.position : self.position + count]
        self.position += count
        return count


class Listener:
    """A link to a device with a window of its own; keeps what it is sent and when."""

    def __init__(self, window: int = WIDE_OPEN) -> None:
        self.window = window
        self.sent: dict[int, bytes] = {}
        self.at_us: dict[int, int] = {}
        self.forms: dict[int, tuple[int, int]] = {}  # codec and channels by chunk
        self.marks: list[int] = []
        self.waiting = 0  # of the latest frames, which a change finds still here
        self.now_us = 0

    def forget_audio(self) -> int:
        count = self.waiting
        for number in sorted(self.sent)[len(self.sent) - count :]:
            del self.sent[number]
        self.waiting = 0
        return count

    def audio_room(self, backlog_bytes: int) -> int:
        return self.window

    def send_audio(self, frames: list[bytes], size: int) -> None:
        assert sum(map(len, frames)) == size
        for frame in frames:
            channel, _, length = frame[0], frame[1], int.from_bytes(frame[2:4], "little")
            assert channel == mux.AUDIO
            assert length == len(frame) - mux.HEADER_BYTES
            _, codec, channels, number = audio.parse_header(frame, mux.HEADER_BYTES)
            if codec & audio.REPLACE:
                assert length == audio.HEADER_BYTES
                self.marks.append(number)
                for held in [held for held in self.sent if held >= number]:
                    self.window += audio.chunk_bytes(*self.forms[held])
                    del self.sent[held]
                continue
            assert number not in self.sent
            self.forms[number] = (codec, channels)
            self.sent[number] = frame[mux.HEADER_BYTES + audio.HEADER_BYTES :]
            self.at_us[number] = self.now_us
            self.window -= length

    @property
    def pcm(self) -> bytes:
        return b"".join(self.sent[number] for number in sorted(self.sent))


class Played:
    """A stream whose pump runs every TICK_US from one lead before its first chunk plays."""

    def __init__(self, music: Music, *links: Listener, lead_ms: int = LEAD_MS) -> None:
        self.kept: list[NDArray[np.int16]] = []
        self.stream = Stream(
            7, START_US, lead_ms, music, lambda frames: self.kept.append(frames.copy())
        )
        self.now_us = START_US - lead_ms * 1000
        self.links: list[Listener] = []
        self.outputs = [self.join(link) for link in links]

    def run_until(self, chunk: float, step_us: int = TICK_US) -> None:
        """Pump until `chunk` plays."""
        while self.now_us < START_US + chunk * CHUNK_US:
            self.pump()
            self.now_us += step_us

    def pump(self) -> None:
        """Pump once, now."""
        for link in self.links:
            link.now_us = self.now_us
        self.stream.pump(self.now_us)

    def join(
        self,
        link: Listener,
        variant: Variant = STEREO,
        wants: int | None = None,
        budget_ms: int | None = None,
    ) -> Output:
        """One more device from now on."""
        self.links.append(link)
        output = self.stream.add(link, variant, self.now_us, budget_ms)
        self.stream.ready(output, output.next_chunk if wants is None else wants, self.now_us)
        return output
