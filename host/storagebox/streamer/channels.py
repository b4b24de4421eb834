"""One end of the multiplexed link, without its socket: bytes in, messages out, and the reverse.

`phantom.wire.mux` says what a frame is; this says what an end does with frames: first the proof of
who is there (`phantom.handshake`), then the windows of both directions, PING and its answer, and
which channel's frames go next. What it hands out by `gather` is at most GATHER_BYTES at a time, so
a volume change queued now is at most that far behind the audio queued before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from struct import Struct

from phantom.handshake import Handshake, StrangerError
from phantom.wire import mux

# What one system call may take: 8 chunks of PCM16 stereo, 16 ms of a link of 4 Mbit/s.
GATHER_BYTES = 8192
# A peer that makes this end answer without reading the answers is cut off: PONGs, WINDOWs.
MAX_LINK_FRAMES = 64
# Messages waiting for the peer's RPC window; beyond, they are lost and their callers time out.
MAX_RPC_BYTES = 65536

_HEADER = Struct("<BBH")
_MODULUS = 0xFFFFFFFF


class GoodbyeError(Exception):
    """The peer ended the connection on purpose. `reason` is one of mux.REASON_*."""

    def __init__(self, reason: int) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Hello:
    """Who is at the other end, proved."""

    role: int
    identity: str
    boot: int


@dataclass
class _Outgoing:
    frames: deque[bytes] = field(default_factory=deque[bytes])
    bytes: int = 0  # in frames, headers included
    sent: int = 0  # payload bytes handed out since the start, modulo 2**32
    limit: int = 0  # of those, as the peer allows


class Channels:
    """The state of one connection.

    `handshake` is this connection's own; its initiator calls `start`. on_hello(hello) runs once,
    when the peer has proved who it is; on_message(channel, message) for each whole message of
    RPC, AUDIO or BULK; on_window(channel) when the peer allowed more. `grants` are the windows
    this end keeps open for each channel; a channel with 0 may receive only what INITIAL_WINDOW
    says, once.
    """

    def __init__(
        self,
        handshake: Handshake,
        on_hello: Callable[[Hello], None],
        on_message: Callable[[int, bytes], None],
        on_window: Callable[[int], None] | None = None,
        grants: tuple[int, ...] = (0, 8192, 0, 0),
    ) -> None:
        self._handshake = handshake
        self._on_hello = on_hello
        self._on_message = on_message
        self._on_window = on_window
        self._grants = grants
        self._out = [_Outgoing(limit=limit) for limit in mux.INITIAL_WINDOW]
        self._committed: list[bytes | memoryview] = []  # gathered, not yet taken by the kernel
        self._tail = bytearray()  # of a frame whose rest has not come
        self._received = [0] * mux.CHANNELS
        self._granted: list[int] = list(mux.INITIAL_WINDOW)
        self._partial = [bytearray() for _ in range(mux.CHANNELS)]
        self.peer: Hello | None = None
        self.lost_messages = 0

    def start(self) -> None:
        """Say who this end is, as the one that has connected."""
        self.send_link(self._handshake.hello)

    # Sending

    def send_link(self, payload: bytes) -> None:
        """Queue a LINK payload."""
        out = self._out[mux.LINK]
        if len(out.frames) >= MAX_LINK_FRAMES:
            raise mux.MalformedFrame("the peer asks and does not read")
        out.frames.append(mux.frame(mux.LINK, payload))

    def send_message(self, channel: int, message: bytes) -> bool:
        """Queue a message on RPC or BULK; False if too much waits there and it was dropped."""
        out = self._out[channel]
        if out.bytes + len(message) > MAX_RPC_BYTES:
            self.lost_messages += 1
            return False
        frames = mux.frames(channel, message)
        out.frames.extend(frames)
        out.bytes += sum(map(len, frames))
        return True

    def room(self, channel: int) -> int:
        """Payload bytes that the peer's window allows and that aren't queued yet."""
        out = self._out[channel]
        room = (out.limit - out.sent) & _MODULUS
        return 0 if room & 0x80000000 else max(0, room - out.bytes)

    def audio_room(self) -> int:
        """The same of AUDIO."""
        return self.room(mux.AUDIO)

    def waits(self, channel: int) -> bool:
        """Whether frames of it are queued and not yet gathered."""
        return bool(self._out[channel].frames)

    @property
    def audio_waiting(self) -> int:
        """Bytes of AUDIO queued and not yet gathered."""
        return self._out[mux.AUDIO].bytes

    def send_audio(self, frames: Iterable[bytes], size: int) -> None:
        """Queue whole frames of chunks, `size` bytes in all. They are shared, never copied."""
        out = self._out[mux.AUDIO]
        out.frames.extend(frames)
        out.bytes += size

    def forget_audio(self) -> int:
        """Drop the AUDIO frames not gathered yet; how many they were."""
        out = self._out[mux.AUDIO]
        count = len(out.frames)
        out.frames.clear()
        out.bytes = 0
        return count

    def gather(self) -> list[bytes | memoryview]:
        """The buffers to write next, in order; tell `sent` how much of them went out."""
        if not self._committed:
            self._commit()
        return self._committed

    def sent(self, count: int) -> bool:
        """`count` bytes of what `gather` gave were written. True if all of them were."""
        buffers = self._committed
        for index, buffer in enumerate(buffers):
            if count < len(buffer):
                del buffers[:index]
                if count:
                    buffers[0] = memoryview(buffer)[count:]
                return False
            count -= len(buffer)
        buffers.clear()
        return True

    def _commit(self) -> None:
        budget = GATHER_BYTES
        committed = self._committed
        links = self._out[mux.LINK].frames
        while links:
            frame = links.popleft()
            committed.append(frame)
            budget -= len(frame)
        for out in self._out[1:]:
            frames = out.frames
            while frames and budget > 0:
                size = len(frames[0])
                payload = size - mux.HEADER_BYTES
                if mux.room(out.limit, out.sent) < payload:
                    break
                committed.append(frames.popleft())
                out.bytes -= size
                out.sent = (out.sent + payload) & _MODULUS
                budget -= size

    # Receiving

    def receive(self, data: memoryview) -> None:
        """Take bytes as they came from the socket.

        Raises mux.MalformedFrame, GoodbyeError, or phantom.handshake's StrangerError or
        WrongProtocolError; then close the connection.
        """
        if self._tail:
            self._tail += data
            held = bytes(self._tail)
            used = self._frames(memoryview(held))
            del self._tail[:used]
        else:
            used = self._frames(data)
            if used < len(data):
                self._tail += data[used:]

    def _frames(self, data: memoryview) -> int:
        at = 0
        end = len(data)
        while end - at >= mux.HEADER_BYTES:
            channel, flags, length = _HEADER.unpack_from(data, at)
            if length > mux.MAX_PAYLOAD:
                raise mux.OversizedFrame(f"a frame of {length} bytes")
            if channel >= mux.CHANNELS or flags & ~mux.MORE:
                raise mux.MalformedFrame(f"frame of channel {channel}, {flags=}, {length} bytes")
            start = at + mux.HEADER_BYTES
            if end - start < length:
                break
            at = start + length
            payload = data[start:at]
            if channel == mux.LINK:
                self._link(payload, flags)
            elif self.peer is None:
                raise StrangerError("a frame before it is proved who sends it")
            else:
                self._payload(channel, payload, flags)
        return at

    def _payload(self, channel: int, payload: memoryview, flags: int) -> None:
        received = (self._received[channel] + len(payload)) & _MODULUS
        self._received[channel] = received
        granted = self._granted[channel]
        if (granted - received) & 0x80000000:
            raise mux.OversizedFrame(f"channel {channel} went over its window")
        if self._grants[channel] and mux.room(granted, received) < self._grants[channel] // 2:
            self.grant(channel, received + self._grants[channel])
        partial = self._partial[channel]
        if len(partial) + len(payload) > mux.MAX_MESSAGE:
            raise mux.OversizedFrame(f"a message of channel {channel} is over its size")
        if flags & mux.MORE:
            partial += payload
            return
        message = bytes(partial) + bytes(payload) if partial else bytes(payload)
        partial.clear()
        self._on_message(channel, message)

    def grant(self, channel: int, limit: int) -> None:
        """Allow the peer `limit` payload bytes on `channel`, counted from the start."""
        self._granted[channel] = limit & _MODULUS
        self.send_link(mux.window(channel, limit))

    def _link(self, payload: memoryview, flags: int) -> None:
        if flags or not payload:
            raise mux.MalformedFrame("a LINK frame that is empty or split")
        kind = payload[0]
        if kind == mux.GOODBYE:
            raise GoodbyeError(payload[1] if len(payload) > 1 else 0)
        if self.peer is None:
            self._prove(kind, payload)
        elif kind == mux.WINDOW:
            channel, limit = mux.parse_window(payload)
            self._out[channel].limit = limit
            if self._on_window:
                self._on_window(channel)
        elif kind == mux.PING:
            self.send_link(mux.pong(mux.parse_nonce(payload)))
        elif kind == mux.PONG:
            mux.parse_nonce(payload)
        else:
            raise mux.MalformedFrame(f"LINK message {kind}")

    def _prove(self, kind: int, payload: memoryview) -> None:
        handshake = self._handshake
        if kind == mux.HELLO:
            self.send_link(handshake.take_hello(payload))
        elif kind == mux.AUTH:
            proof = handshake.verify(payload)
            if proof is not None:
                self.send_link(proof)
            self.peer = Hello(handshake.role, handshake.identity, handshake.boot)
            self._on_hello(self.peer)
        else:
            raise StrangerError(f"LINK message {kind} before it is proved who sends it")
