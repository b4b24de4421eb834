"""The box's side of the link to one device: connects, stays connected, and carries everything.

A Link retries for ever. Whatever a device sends, the worst that happens is that its connection is
closed with a reason, counted, and tried again. `heartbeat` says whether the device is still there,
`overtaking` what is done about a connection that stands still.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
import select
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from phantom.handshake import Handshake, StrangerError, WrongProtocolError
from phantom.rpc import CLOSED, RpcError
from phantom.wire import mux
from storagebox.conversation import Conversation
from storagebox.installation import Membership
from storagebox.streamer import tcp, timeouts

from .channels import Channels, GoodbyeError, Hello
from .endings import ABANDONED, GOODBYES, MOVED, OVERTAKEN, LinkCounters
from .heartbeat import Heartbeat
from .overtaking import Overtaking
from .sweep import Sweep

RECEIVE_BYTES = 65536
_scratch = bytearray(RECEIVE_BYTES)  # shared by all links of the process: used within one callback
_view = memoryview(_scratch)


def _nothing(*_: object) -> None:
    pass


class Link:
    """A connection that comes back.

    on_up(hello) runs when the device has proved to be of `membership`'s installation,
    on_down(reason) when that connection ended. `rpc` lasts as long as the Link: register the
    device's notifications on it once.
    """

    def __init__(
        self,
        address: str,
        port: int,
        *,
        membership: Membership,
        role: int = mux.ROLE_BOX,
        sweep: Sweep,
        rng: random.Random,
        local_address: str | None = None,
        on_up: Callable[[Hello], None] = _nothing,
        on_down: Callable[[str], None] = _nothing,
        on_fault: Callable[[str, BaseException], None] = _nothing,
    ) -> None:
        self.address = address
        self.port = port
        self._membership = membership
        self._role = role
        self._sweep = sweep
        self._rng = rng
        self._local_address = local_address
        self._on_up = on_up
        self._on_down = on_down
        self._on_fault = on_fault
        self.rpc = Conversation(self._send_rpc, mux.MAX_MESSAGE, on_fault)
        self.counters = LinkCounters()
        self._socket: socket.socket | None = None  # None while not connected
        self._channels = self._new_channels()
        self._ended: asyncio.Future[str] | None = None  # result: the reason
        self._full = False  # the kernel refused more; the sweep will say when to go on
        self._nonces = itertools.count(1)
        self._heartbeat = Heartbeat()
        self._overtaking = Overtaking(self._connect, lambda: self._drop(OVERTAKEN))
        self._moved = asyncio.Event()  # it is known where the device is, or that it is there
        self._connecting: asyncio.Task[socket.socket] | None = None
        self.bulk_moved = asyncio.Event()  # there may be room for BULK, or nobody to take it

    # Life

    async def run(self) -> None:
        """Connect and reconnect until cancelled; then say GOODBYE."""
        failures = 0
        try:
            while True:
                up_before = self.counters.connections
                reason = await self._connection()
                if self.counters.connections > up_before:
                    failures = 0
                pause_s = self.counters.pause_s(reason, failures, self._rng)
                failures += 1
                self.counters.end(reason)
                if not self._moved.is_set():
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._moved.wait(), pause_s)
                self._moved.clear()
        finally:
            self._farewell(mux.REASON_SHUTDOWN)
            self._drop("shutdown")
            if successor := self._overtaking.take():
                successor.close()

    async def _connection(self) -> str:
        loop = asyncio.get_running_loop()
        try:
            sock = self._overtaking.take() or await self._connect_here()
        except TimeoutError:
            return "unreachable"
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return MOVED  # it is the attempt that was given up
        except OSError as fault:
            return (fault.strerror or type(fault).__name__).lower()
        self._channels = self._new_channels()
        self._socket = sock
        self._full = False
        self._heartbeat.begin(loop.time())
        self._overtaking.begin(sock, loop.time())
        self._ended = loop.create_future()
        self._sweep.add(sock.fileno(), self._on_event)
        self._channels.start()
        self.flush()
        return await self._ended

    async def _connect_here(self) -> socket.socket:
        """Connect; cancelled where it is known meanwhile that this is in vain."""
        self._connecting = asyncio.ensure_future(self._connect())
        try:
            return await self._connecting
        finally:
            self._connecting = None

    async def _connect(self) -> socket.socket:
        return await tcp.connect(self.address, self.port, self._local_address)

    def _new_channels(self) -> Channels:
        nonce = secrets.token_bytes(mux.NONCE_BYTES)
        self._handshake = Handshake(self._membership, self._role, True, nonce)
        return Channels(self._handshake, self._greeted, self._message, self._allowed)

    def move(self, address: str, port: int) -> None:
        """The device is elsewhere now: go there at once, if it isn't where it is looked for."""
        if (address, port) != (self.address, self.port):
            self.address, self.port = address, port
            self._drop(MOVED)
            self.hurry()

    def hurry(self) -> None:
        """The device has just been heard of: wait for no answer to what was asked before that."""
        if self._socket is None:
            self._moved.set()
            if self._connecting is not None:
                self._connecting.cancel()

    def disconnect(self, reason: str, goodbye: int = mux.REASON_SHUTDOWN) -> None:
        """End this connection; `run` makes another, by what `endings` says."""
        self._farewell(goodbye)
        self._drop(reason)

    def _drop(self, reason: str) -> None:
        sock, self._socket = self._socket, None
        if sock is None:
            return
        self.bulk_moved.set()
        self._overtaking.end()
        self._sweep.remove(sock.fileno())
        if reason in ABANDONED:
            tcp.abort(sock)
        else:
            sock.close()
        was_up = self._channels.peer is not None
        self.rpc.close()
        if self._ended and not self._ended.done():
            self._ended.set_result(reason)
        if was_up:
            self._on_down(reason)

    def _farewell(self, reason: int) -> None:
        """Best effort: a frame cut in half by a full kernel buffer makes it unreadable."""
        if self._socket is None:
            return
        with suppress(OSError):
            self._socket.send(mux.frame(mux.LINK, mux.goodbye(reason)))

    # What is known

    @property
    def up(self) -> bool:
        """The device has proved who it is on a connection that stands."""
        return self._socket is not None and self._channels.peer is not None

    def quiet_s(self, now_s: float) -> float:
        """How long the device has given no sign of life, by a byte or an acknowledgement.

        Amid music one comes every tick, or is asked for.
        """
        beat = self._heartbeat
        moved_at_s = self._overtaking.moved_at_s() if beat.amid_music(now_s) else 0.0
        return now_s - max(beat.heard_at_s, moved_at_s)

    def secret(self) -> bytes:
        """What only this end and the device know of this connection, while it is up."""
        if not self.up:
            raise RpcError(CLOSED, f"{self.address} is not connected")
        return self._handshake.secret()

    @property
    def local_address(self) -> str | None:
        """This end's address, which the device sees as the box's."""
        return self._socket.getsockname()[0] if self._socket else None

    # Sending

    async def call(
        self, method: str, params: Mapping[str, Any], timeout_s: float | None = None
    ) -> Any:
        """Call a method of the device, by default for as long as `timeouts` says. Raises
        phantom.rpc.RpcError."""
        if not self.up:
            raise RpcError(CLOSED, f"{self.address} is not connected")
        if timeout_s is None:
            timeout_s = timeouts.timeout_s(method)
        return await self.rpc.call(method, params, timeout_s)

    def audio_room(self, backlog_bytes: int) -> int:
        """Payload bytes of AUDIO that may be queued now: the device's window, and no more than
        `backlog_bytes` waiting here."""
        if self._socket is None:
            return 0
        channels = self._channels
        return min(channels.audio_room(), backlog_bytes - channels.audio_waiting)

    def send_audio(self, frames: Iterable[bytes], size: int) -> None:
        """Send frames of chunks, `size` bytes in all, as far as the kernel takes them now."""
        self._channels.send_audio(frames, size)
        self._heartbeat.carried_audio = True
        if not self._full:
            self.flush()

    def forget_audio(self) -> int:
        """Drop the chunks that still wait here; how many they were."""
        return self._channels.forget_audio()

    def bulk_room(self) -> int:
        """Payload bytes of BULK that may be queued now; await `bulk_moved` for more."""
        return self._channels.room(mux.BULK) if self.up else 0

    def bulk_waits(self) -> bool:
        """Whether BULK still waits here, and can be overtaken by what is queued now."""
        return self._channels.waits(mux.BULK)

    def send_bulk(self, payload: bytes) -> None:
        """Queue a frame of BULK, behind everything else. The caller has asked for room."""
        self._channels.send_message(mux.BULK, payload)
        self.flush()

    def flush(self) -> None:
        """Write what waits until there is no more or the kernel is full."""
        sock = self._socket
        if sock is None or self._full:
            return
        channels = self._channels
        try:
            while buffers := channels.gather():
                count = sock.sendmsg(buffers)
                self._overtaking.written += count
                self._heartbeat.spoke = True
                done = channels.sent(count)
                if not done:
                    self._set_full(True)
                    return
        except BlockingIOError:
            self._set_full(True)
        except OSError as fault:
            self._drop((fault.strerror or type(fault).__name__).lower())

    def _set_full(self, full: bool) -> None:
        if self._full != full and self._socket is not None:
            self._full = full
            self._sweep.want_write(self._socket.fileno(), full)

    def _send_rpc(self, message: bytes) -> None:
        if self.up:
            self._channels.send_message(mux.RPC, message)
            self._heartbeat.called = True
            self.flush()

    # Receiving

    def _on_event(self, mask: int) -> None:
        if mask & select.EPOLLOUT:
            self._set_full(False)
            self.flush()
            self.bulk_moved.set()
        if mask & ~select.EPOLLOUT and self._socket is not None:
            self._read(self._socket)

    def _read(self, sock: socket.socket) -> None:
        try:
            count = sock.recv_into(_scratch)
        except BlockingIOError:
            return
        except OSError as fault:
            self._drop((fault.strerror or type(fault).__name__).lower())
            return
        if not count:
            self._drop("closed by the device")
            return
        self._heartbeat.heard = True
        try:
            self._channels.receive(_view[:count])
        except GoodbyeError as end:
            self._drop(GOODBYES.get(end.reason, "goodbye: unknown"))
        except WrongProtocolError:
            self._farewell(mux.REASON_PROTOCOL)
            self._drop("protocol")
        except StrangerError:
            self._farewell(mux.REASON_STRANGER)
            self._drop("stranger")
        except mux.MalformedFrame:
            self._farewell(mux.REASON_MALFORMED)
            self._drop("malformed")
        except Exception as fault:  # a fault of ours: this link pays, the box goes on
            self._on_fault("link", fault)
            self._farewell(mux.REASON_MALFORMED)
            self._drop("fault")
        else:
            self.flush()

    def _greeted(self, hello: Hello) -> None:
        self.counters.connections += 1
        self.rpc.opened()
        self._on_up(hello)

    def _message(self, channel: int, message: bytes) -> None:
        if channel == mux.RPC:
            self.rpc.receive(message)
        # Devices upload nothing: BULK's first window is all that one may send.

    def _allowed(self, channel: int) -> None:
        if channel == mux.BULK:
            self.bulk_moved.set()

    # Time

    def tick(self, now_s: float) -> None:
        """Call twenty times a second, with the loop's time."""
        self.rpc.tick(round(now_s * 1000))
        sock, beat = self._socket, self._heartbeat
        if sock is None:
            return
        beat.tick(now_s)
        if reason := beat.end_reason(now_s, self.up):
            self._drop(reason)
            return
        amid_music = beat.amid_music(now_s)
        if not self.up:
            pass  # a device takes nothing but the handshake
        elif beat.owes(now_s) or (amid_music and beat.probes(now_s)):
            self._ping()
        elif not amid_music and beat.urges(now_s) and tcp.unacknowledged(sock):
            self._ping()  # behind a call that may have got lost
        if amid_music:
            self._overtaking.watch(now_s)

    def _ping(self) -> None:
        try:
            self._channels.send_link(mux.ping(next(self._nonces) & 0xFFFFFFFF))
        except mux.MalformedFrame:
            self._drop("not reading")
        self.flush()
