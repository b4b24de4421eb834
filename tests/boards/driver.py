"""A box of a few lines for tests of a single board: blocking sockets, the real wire code."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import threading
import time
from contextlib import suppress
from typing import Any

import numpy as np

from phantom.handshake import Handshake
from phantom.wire import CHUNK_FRAMES, LINK_PORT, RATE, audio, clock, mux
from storagebox.installation import Membership
from tools.demo.installation import member

CONNECT_SECONDS = 10.0


def house_us() -> int:
    """House time of the tests: the machine's monotonic clock."""
    return time.monotonic_ns() // 1000


def wait_for(what: str, condition: Any, seconds: float = 10.0) -> None:
    """Wait until `condition()` holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.01)


def _due_us(start_us: int, chunk: int) -> int:
    return start_us + chunk * CHUNK_FRAMES * 1_000_000 // RATE


class ClockServer:
    """Answers the four-stamp exchange on a port of its own."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                data, peer = self._socket.recvfrom(2048)
            except OSError:
                return
            t2 = house_us()
            asked = clock.parse_request(data)
            if asked:
                self._socket.sendto(clock.reply(*asked, 1, t2, house_us() - t2), peer)

    def close(self) -> None:
        self._socket.close()


class Driver:
    """One link to a board: says hello, calls, feeds, and keeps what comes back."""

    def __init__(
        self,
        address: str,
        identity: str = "test-box",
        *,
        membership: Membership | None = None,
        role: int = mux.ROLE_BOX,
        wait: bool = True,
    ) -> None:
        """Without `wait`, before it is known whether the board lets us in."""
        end = time.monotonic() + CONNECT_SECONDS
        while True:
            try:
                self.socket = socket.create_connection((address, LINK_PORT), 2)
                break
            except OSError:
                assert time.monotonic() < end, f"{address} does not listen"
                time.sleep(0.05)
        self.socket.settimeout(None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answers: dict[int, Any] = {}
        self.reports: list[dict[str, Any]] = []
        self.properties: dict[str, Any] = {}  # as far as they have changed
        self.window = 0
        self.sent = 0
        self.closed = False
        self.goodbye: int | None = None  # why the board ended it
        self._calls = 0
        self._rpc_received = 0
        self._lock = threading.Lock()
        self.boot = 0  # of the board, once it has proved to be of our installation
        nonce = os.urandom(mux.NONCE_BYTES)
        self._handshake = Handshake(membership or member(identity), role, True, nonce)
        self.send(mux.LINK, self._handshake.hello)
        threading.Thread(target=self._receive, daemon=True).start()
        if wait:
            wait_for("the board's proof", lambda: self.boot or self.closed)

    def send(self, channel: int, payload: bytes) -> None:
        with self._lock:
            self.socket.sendall(b"".join(mux.frames(channel, payload)))

    def _reply(self, payload: bytes) -> None:
        with contextlib.suppress(OSError):  # it has hung up meanwhile
            self.send(mux.LINK, payload)

    def call(self, method: str, **params: Any) -> Any:
        """The whole answer of a call, result or error."""
        self._calls += 1
        number = self._calls
        message = {"jsonrpc": "2.0", "method": method, "params": params, "id": number}
        self.send(mux.RPC, json.dumps(message).encode())
        wait_for(method, lambda: number in self.answers or self.closed)
        return self.answers[number]

    def open(self, channels: int = 1, lead_us: int = 300_000, first: int = 0) -> int:
        """Open stream 1 as PCM; returns its start in house time."""
        start = house_us() + lead_us
        answer = self.call(
            "renderer.open",
            stream=1,
            start_us=start,
            codec="pcm16",
            pick="mono" if channels == 1 else "both",
            channels=channels,
            first_chunk=first,
        )
        assert "result" in answer, answer
        return start

    def feed(self, start_us: int, pcm: np.ndarray, lead_us: int = 300_000) -> None:
        """Send (frames, channels) PCM at its pace, then close the stream and let it play out."""
        chunks = len(pcm) // CHUNK_FRAMES
        self.feed_chunks(start_us, pcm, 0, chunks, lead_us)
        self.play_out(start_us, chunks)

    def feed_chunks(
        self, start_us: int, pcm: np.ndarray, first: int, end: int, lead_us: int
    ) -> None:
        """Send chunks `first` to `end` of a PCM stream, each `lead_us` before it is due."""
        channels = pcm.shape[1]
        size = audio.HEADER_BYTES + audio.payload_bytes(audio.PCM16, channels)
        for n in range(first, end):
            wait = (_due_us(start_us, n) - lead_us - house_us()) / 1e6
            if wait > 0:
                time.sleep(wait)
            wait_for("window", lambda: mux.room(self.window, self.sent) >= size)
            block = pcm[n * CHUNK_FRAMES : (n + 1) * CHUNK_FRAMES].astype("<i2").tobytes()
            self.send(mux.AUDIO, audio.header(1, audio.PCM16, channels, n) + block)
            self.sent += size

    def play_out(self, start_us: int, chunks: int) -> None:
        """Close the stream after its last chunk and wait until that has sounded."""
        self.call("renderer.close", stream=1, at_chunk=chunks)
        time.sleep(max(0.0, (_due_us(start_us, chunks) - house_us()) / 1e6) + 0.15)

    def close(self) -> None:
        self.socket.close()

    def _receive(self) -> None:
        with suppress(OSError):  # closed, by either end
            self._hear()
        self.closed = True

    def _hear(self) -> None:
        buffer = b""
        message = b""
        while True:
            data = self.socket.recv(65536)
            if not data:
                return
            buffer += data
            while len(buffer) >= mux.HEADER_BYTES:
                channel, flags, size = struct.unpack_from("<BBH", buffer)
                if len(buffer) < mux.HEADER_BYTES + size:
                    break
                payload = buffer[mux.HEADER_BYTES : mux.HEADER_BYTES + size]
                buffer = buffer[mux.HEADER_BYTES + size :]
                if channel == mux.LINK:
                    self._link(payload)
                elif channel == mux.RPC:
                    message += payload
                    self._rpc_received += size
                    if not flags & mux.MORE:
                        self._message(json.loads(message))
                        message = b""

    def _link(self, payload: bytes) -> None:
        if payload[0] == mux.HELLO:
            self._reply(self._handshake.take_hello(payload))
        elif payload[0] == mux.AUTH:
            self._handshake.verify(payload)
            self.boot = self._handshake.boot
        elif payload[0] == mux.GOODBYE:
            self.goodbye = payload[1]
        elif payload[0] == mux.PING:
            self._reply(mux.pong(mux.parse_nonce(payload)))
        elif payload[0] == mux.WINDOW:
            channel, limit = mux.parse_window(payload)
            if channel == mux.AUDIO:
                self.window = limit

    def _message(self, message: dict[str, Any]) -> None:
        self._reply(mux.window(mux.RPC, self._rpc_received + mux.MESSAGE_WINDOW))
        if message.get("id") is not None:
            self.answers[message["id"]] = message
        elif message.get("method") == "renderer.report":
            self.reports.append(message["params"])
        elif message.get("method") == "properties.changed":
            self.properties |= message["params"]["values"]
