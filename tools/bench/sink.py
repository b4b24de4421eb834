"""A stand-in device: it speaks the real wire, notes when each chunk comes, and plays nothing.

`sinks` holds hundreds of them for the streamer's bench; tests use one at a time, some of them
ill-behaved on purpose.
"""

from __future__ import annotations

import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from phantom.authority import Authority
from phantom.handshake import Handshake, StrangerError, WrongProtocolError
from phantom.properties import Properties
from phantom.rpc import INVALID_PARAMS, REFUSED, RpcError
from phantom.uploads import Uploads
from phantom.wire import RATE, audio, mux
from storagebox.conversation import Conversation
from storagebox.streamer import tcp
from storagebox.streamer.channels import Channels, GoodbyeError, Hello
from storagebox.streamer.sweep import Sweep
from tools.bench.beacon import Beacon
from tools.bench.sink_ring import RING_BYTES, Arrivals, SinkRing
from tools.demo.installation import INSTALLATION, member

# RPC and uploads, as it suits a link's Channels.
_GRANTS = (0, 8192, 0, mux.MESSAGE_WINDOW)

_PROPERTIES: dict[str, Any] = {
    "renderer.volume": 10000,
    "renderer.mute": False,
    "renderer.stream": None,
    "renderer.session": "",
    "renderer.reason": "",
}
# What a board reports that is well.
_NOTHING = ("error_us", "underruns", "realigns", "fill", "late_chunks", "trims")
_LOAD = {"rtt_us": 300, "rtt_p95_us": 500, "heap_free": 60000, "loop_max_us": 900}
_CLOCK = {"offset_us": 0, "skew_ppb": 0, "clock_samples": 64}
_REPORT: dict[str, Any] = dict.fromkeys(_NOTHING, 0) | _LOAD | _CLOCK


def house_us() -> int:
    """House time of a box on this machine that carries on no other timeline."""
    return time.monotonic_ns() // 1000


class _Uploader:
    """The connection, as uploads want it."""

    def __init__(self, rpc: Conversation) -> None:
        self.rpc = self
        self.bulk: Any = None
        self.register = rpc.serve


class Sink:
    """One device: listens at an address, lets one box in and grants windows as a board does."""

    def __init__(
        self,
        identity: str,
        sweep: Sweep,
        *,
        address: str = "127.0.0.1",
        port: int = 0,
        ring_bytes: int = RING_BYTES,
        dac_channels: int = 2,
        codecs: Sequence[str] = tuple(audio.CODECS),
        boot: int = 1,
        installation: Mapping[str, str] = INSTALLATION,
        now_us: Callable[[], int] = house_us,
    ) -> None:
        """It announces itself from `address`; its link is at `port` of it. `now_us`: its time."""
        self.identity = identity
        self.boot = boot
        self._installation = installation
        self._now_us = now_us
        self._address = address
        self.opened: list[dict[str, Any]] = []  # every renderer.open
        self.closed: list[dict[str, Any]] = []
        self.levels: list[dict[str, Any]] = []
        self.troubles: dict[str, Any] = {}  # what its reports say besides
        self.box: Hello | None = None
        self.state = "idle"
        self.dead = False
        self.frozen = False
        self.unplugged = False
        self.wedged = False  # answers, and plays nothing
        self.restarts = 0
        self.chimes: list[tuple[int, str]] = []
        self.properties = Properties()
        for name, value in _PROPERTIES.items():
            self.properties.declare(name, value)
        self.properties.declare("renderer.note", "", writable=str)
        self.topology = Authority(identity)
        self._info = {
            "id": identity,
            "name": identity,
            "board": "stand-in",
            "version": "0",
            "boot": boot,
            "ring_bytes": ring_bytes,
            "dac_channels": dac_channels,
            "codecs": list(codecs),
            "rate": RATE,
        }
        self._ring = SinkRing(ring_bytes)
        self._on_chunk: Callable[[int, bytes], object] | None = None
        self._sweep = sweep
        self._listener = tcp.listen(address, port)
        self.port: int = self._listener.getsockname()[1]
        self._connection: socket.socket | None = None
        self._channels = self._new_channels()
        self.rpc = Conversation(self._send_rpc)
        self._serve()
        self.refused = Counter[str]()  # pieces of uploads
        self.uploads = Uploads(lambda kind: self.refused.update([kind]))
        self._uploader = _Uploader(self.rpc)
        self.uploads.serve(self._uploader)
        sweep.add(self._listener.fileno(), self._accept)
        self._beacon = self._new_beacon()

    @property
    def arrivals(self) -> Arrivals:
        """What came of the stream it was told to play."""
        return self._ring.arrivals

    @property
    def session(self) -> str:
        """What the box has left here."""
        return self.properties.get("renderer.session")

    def _new_beacon(self) -> Beacon:
        belonging = member(self.identity, self.boot, self._installation)
        return Beacon(belonging, self._sweep, address=self._address, port=self.port)

    def listen(self, on_chunk: Callable[[int, bytes], object]) -> None:
        """Call on_chunk(chunk, payload) for every chunk of the stream it was told to play."""
        self._on_chunk = on_chunk

    # The connection

    def _accept(self, _: int) -> None:
        connection, _ = self._listener.accept()
        if self.unplugged:
            connection.close()
            return
        self.hang_up()
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        self._channels = self._new_channels()
        self._ring.connected()
        self._sweep.add(connection.fileno(), self._readable)

    def _readable(self, _: int) -> None:
        connection = self._connection
        assert connection is not None
        try:
            data = connection.recv(1 << 16)
            if not data:
                self.hang_up()
                return
            self._channels.receive(memoryview(data))
            self.flush()
        except (
            OSError,
            GoodbyeError,
            StrangerError,
            WrongProtocolError,
            mux.MalformedFrame,
        ):
            self.hang_up()

    def hang_up(self) -> None:
        """Close the connection, as a power cut does."""
        if self._connection is not None:
            self._sweep.remove(self._connection.fileno())
            self._connection.close()
            self._connection = None
            self.box = None
            self.rpc.close()
            self.uploads.lost(self._uploader)

    def unplug(self) -> None:
        """Lose the network: connections fail, and whoever tries to connect does, too."""
        self.hang_up()
        self.unplugged = True

    def plug_in(self) -> None:
        """Have it back."""
        self.unplugged = False

    def restart(self) -> None:
        """Lose power, and come back as another boot that knows nothing."""
        self.hang_up()
        self._beacon.close()
        self.boot += 1
        self._info["boot"] = self.boot
        self._ring.stream = 0
        self.state = "idle"
        for name, value in _PROPERTIES.items():
            self.properties.set(name, value)
        self.properties.set("renderer.note", "")
        self._beacon = self._new_beacon()

    def vanish(self) -> None:
        """Lose power."""
        self.close()

    def leave(self) -> None:
        """Say goodbye, and close."""
        self._beacon.goodbye()
        self.close()

    def close(self) -> None:
        """Close everything."""
        self.dead = True
        self.hang_up()
        self._beacon.close()
        self._sweep.remove(self._listener.fileno())
        self._listener.close()

    def freeze(self, frozen: bool) -> None:
        """Hear and say nothing, with the connection standing, as when power or radio fails."""
        if self._connection is None or frozen == self.frozen:
            return
        self.frozen = frozen
        if frozen:
            self._sweep.remove(self._connection.fileno())
        else:
            self._sweep.add(self._connection.fileno(), self._readable)

    def send_raw(self, data: bytes) -> None:
        """Put bytes on the connection, whatever they are."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection.send(data)

    def finish(self) -> None:
        """Say that nothing more comes, as a program that ends."""
        if self._connection is not None:
            self._connection.shutdown(socket.SHUT_WR)

    def flush(self) -> None:
        """Send what waits; messages are small and never fill a socket here."""
        connection = self._connection
        while connection is not None and (buffers := self._channels.gather()):
            self._channels.sent(connection.sendmsg(buffers))

    def _send_rpc(self, message: bytes) -> None:
        if self.box is not None:
            self._channels.send_message(mux.RPC, message)

    def _new_channels(self) -> Channels:
        membership = member(self.identity, self.boot, self._installation)
        handshake = Handshake(membership, mux.ROLE_DEVICE, False, os.urandom(mux.NONCE_BYTES))
        return Channels(handshake, self._greeted, self._message, grants=_GRANTS)

    def _greeted(self, hello: Hello) -> None:
        self.box = hello

    # Methods

    def _serve(self) -> None:
        for name, method in (
            ("device.info", lambda: self._info),
            ("renderer.open", self._open),
            ("renderer.close", self._close),
            ("renderer.level", self._level),
            ("renderer.session", self._session),
            ("device.restart", self._restart),
            ("chime.play", self._chime),
            ("topology.get", self._topology_get),
            ("topology.put", self._topology_put),
        ):
            self.rpc.serve(name, method)
        self.rpc.publish(self.properties)

    def _open(self, **params: Any) -> dict[str, int]:
        self.opened.append(params)
        ring = self._ring
        ring.open(params["stream"], params["start_us"], params["first_chunk"])
        self.state = "playing"
        self.properties.set("renderer.stream", ring.stream)
        self.properties.set("renderer.session", params.get("session", ""))
        self.properties.set("renderer.reason", "")
        self._let_go(self._now_us())
        self._grant()
        return {"window_bytes": ring.size, "wants": ring.wants}

    def _close(self, **params: Any) -> bool:
        self.closed.append(params)
        if params["at_chunk"] is None and params["stream"] == self._ring.stream:
            self._end(params.get("reason", ""))
        return True

    def _end(self, reason: str) -> None:
        self.state = "idle"
        self._ring.stream = 0
        self.properties.set("renderer.stream", None)
        self.properties.set("renderer.session", "")
        self.properties.set("renderer.reason", reason)

    def _chime(self, start_us: int, kind: str) -> bool:
        if self._ring.stream:
            raise RpcError(REFUSED, "music plays here: pause it first")
        self.chimes.append((start_us, kind))
        return True

    def _restart(self) -> bool:
        self.restarts += 1
        return True

    def _topology_get(self, after: str = "", unless: str = "") -> dict[str, Any]:
        if unless == self.topology.digest:
            return {"entries": [], "next": None, "digest": self.topology.digest}
        entries, following = self.topology.entries(after)
        return {"entries": entries, "next": following, "digest": self.topology.digest}

    def _topology_put(self, entries: list[Any]) -> dict[str, Any]:
        self.topology.merge(entries)
        return {"version": self.topology.version, "digest": self.topology.digest}

    def _level(self, **params: Any) -> dict[str, Any]:
        self.levels.append(params)
        for name in ("volume", "mute"):
            if name in params:
                self.properties.set(f"renderer.{name}", params[name])
        return {name: self.properties.get(f"renderer.{name}") for name in ("volume", "mute")}

    def _session(self, stream: int, session: str) -> bool:
        if stream != self._ring.stream:
            raise RpcError(INVALID_PARAMS, f"stream {stream} is not open here")
        self.properties.set("renderer.session", session)
        return True

    # Audio

    def _message(self, channel: int, message: bytes) -> None:
        if channel == mux.RPC:
            self.rpc.receive(message)
        elif channel == mux.AUDIO:
            self._chunk(message)
        elif self._uploader.bulk is not None:
            takes = self._uploader.bulk
            takes.frame(self._uploader, len(message))
            now_ms = self._now_us() // 1000 & 0x3FFFFFFF
            takes.piece(self._uploader, message, 0, len(message), now_ms)

    def _chunk(self, message: bytes) -> None:
        number = self._ring.take(message, self._now_us())
        if number is not None and self._on_chunk:
            self._on_chunk(number, message[audio.HEADER_BYTES :])

    def _grant(self) -> None:
        self._channels.grant(mux.AUDIO, self._ring.grant())

    def play(self, now_us: int) -> None:
        """Let time pass: what has been played makes room for more."""
        if self.frozen:
            return
        self.properties.chore(0)
        self.uploads.chore(now_us // 1000 & 0x3FFFFFFF)
        self._beacon.tick()
        with suppress(OSError):
            self.flush()
        if not self._ring.fed:
            return
        self._let_go(now_us)
        if self._ring.tells:
            self._grant()
            with suppress(OSError):
                self.flush()

    def _let_go(self, now_us: int) -> None:
        if not self.wedged:
            self._ring.let_go(now_us)

    def report(self) -> None:
        """Send a report such as boards send."""
        if self.box is None or self.frozen:
            return
        ring = self._ring
        own = {
            "state": "waiting" if ring.waits else self.state,
            "stream": ring.stream or None,
            "buffer_ms": ring.held_ms,
            "played_blocks": ring.played,
            "house_us": self._now_us(),
        }
        self.rpc.notify("renderer.report", _REPORT | own | self.troubles)
        with suppress(OSError):
            self.flush()
