"""The device's end of the multiplexed link: one connection.

Bytes are read into one buffer and parsed where they lie; audio goes straight from there into the
jitter buffer. Only control messages allocate. `listener` takes connections in, and gives those
that have proved who they are a *seat*: the buffers for messages.
"""

from time import ticks_diff

from micropython import const

from . import dsp
from .handshake import AUTH_MS, StrangerError, WrongProtocolError
from .wire import audio, mux

# A segment of TCP on Wi-Fi.
READ_BYTES = const(1440)
# Reads a turn: a TCP window of 5760 bytes, so one connection can't keep the loop to itself.
_READS_A_TURN = const(4)
# Silence that means the peer is gone: three times its pings, as every peer pings once a second.
_DEAD_MS = const(3000)
_PING_MS = const(1000)
# What may wait to be sent; reports are small, and a peer that does not read them is dead soon.
_SEND_BYTES = const(3072)
# The longest LINK message is a hello.
_LINK_BYTES = const(32 + 32)
# Before it has a seat, a connection says hello, proves itself or says goodbye.
_DOOR_BYTES = const(128)
# Byte counts start over below this, so that they stay small integers (1.5 h of stereo are 1 GB).
_FOLD = const(0x10000000)
# A granted window is told when it has moved by this many chunks, such as came last.
_WINDOW_CHUNKS = const(4)


class Seat:
    """The buffers of a peer that may call and be called."""

    def __init__(self):
        self.message = bytearray(mux.MAX_MESSAGE)
        self.out = bytearray(_SEND_BYTES)


class Connection:
    """One TCP connection at a time, in buffers that are made once: boards come and go for months,
    and a heap in pieces has no 3 KiB left."""

    def __init__(self, listener, read_buffer):
        self._listener = listener
        self._in = read_buffer  # of all connections: what is read is used up at once
        self._head = bytearray(mux.HEADER_BYTES)
        self._link_message = bytearray(_LINK_BYTES)
        self._audio_head = bytearray(audio.HEADER_BYTES)
        self._door = bytearray(_DOOR_BYTES)

    def begin(self, sock, peer, now_ms):
        """Serve a connection that has just been accepted."""
        self._socket = sock
        self.host = peer[0]
        self.identity = None  # set when it has proved to be who it says
        self.role = 0
        self.member = False  # of our installation; otherwise it knows the code we show
        self.secret = None  # of such a link, for adoption
        self.rpc = None
        self.bulk = None  # who takes uploads
        self.seat = None
        self.began_ms = now_ms
        self._handshake = None
        self._messages = (self._link_message, b"")
        self._out = self._door
        self._got = 0  # bytes of _head
        self._channel = -1  # of the payload being read
        self._left = 0  # bytes of it still to come
        # Link messages may come between the pieces of a longer RPC message.
        self._lengths = [0, 0]
        self._more = False
        self._audio_got = 0
        self._audio_at = -1  # where the payload goes in the ring, -1: nowhere
        self._audio_size = 0
        self._received = [0] * mux.CHANNELS  # cumulative payload bytes by channel
        self._granted = list(mux.INITIAL_WINDOW)
        self._told = list(mux.INITIAL_WINDOW)
        self._folded = [0] * mux.CHANNELS  # what all three above have been lowered by
        self._limit = list(mux.INITIAL_WINDOW)  # what the peer grants
        self._sent = [0] * mux.CHANNELS
        self._out_at = 0
        self._out_end = 0
        self._heard_ms = now_ms
        self._spoke_ms = now_ms
        self.sink = None  # the ring that audio goes to, while this peer feeds us

    # Receiving

    def poll(self, now_ms):
        """One turn. False when the connection is over."""
        try:
            for _ in range(_READS_A_TURN):
                n = self._socket.readinto(self._in)
                if n is None:
                    break
                if n == 0:
                    return False
                self._heard_ms = now_ms
                self._feed(n)
            if ticks_diff(now_ms, self._heard_ms) > _DEAD_MS:
                return False
            if self.identity is None and ticks_diff(now_ms, self.began_ms) > AUTH_MS:
                return self._refuse("silent", mux.REASON_STRANGER)
            if self.identity is not None and ticks_diff(now_ms, self._spoke_ms) > _PING_MS:
                self.link_message(mux.ping(now_ms))
                self._spoke_ms = now_ms
            self._grant()
            return self._flush()
        except mux.MalformedFrame as error:
            if self.identity is not None:  # strangers shall not keep the serial line busy
                print("link:", self.identity, "closed:", error)
            return self._refuse(error.kind, mux.REASON_MALFORMED)
        except WrongProtocolError:
            return self._refuse("protocol", mux.REASON_PROTOCOL)
        except StrangerError:
            return self._refuse("stranger", mux.REASON_STRANGER)
        except OSError:
            return False

    def _refuse(self, kind, reason):
        self._listener.refused(kind)
        self.goodbye(reason)
        return False

    def _feed(self, n):
        at = 0
        while at < n:
            if self._channel < 0:
                take = min(mux.HEADER_BYTES - self._got, n - at)
                dsp.copy_bytes(self._head, self._got, self._in, at, take)
                self._got += take
                at += take
                if self._got == mux.HEADER_BYTES:
                    self._begin()
                continue
            take = min(self._left, n - at)
            if self._channel == mux.AUDIO:
                self._audio(at, take)
            elif self._channel <= mux.RPC:
                to = self._lengths[self._channel]
                dsp.copy_bytes(self._messages[self._channel], to, self._in, at, take)
                self._lengths[self._channel] = to + take
            elif self.bulk is not None:
                self.bulk.piece(self, self._in, at, take, self._heard_ms)
            at += take
            self._left -= take
            if not self._left:
                self._end()

    def _begin(self):
        head = self._head
        channel = head[0]
        length = head[2] | head[3] << 8
        if channel >= mux.CHANNELS or length > mux.MAX_PAYLOAD or head[1] & ~mux.MORE:
            kind = mux.OversizedFrame if length > mux.MAX_PAYLOAD else mux.MalformedFrame
            raise kind("channel %d, %d bytes" % (channel, length))
        if self.identity is None and channel != mux.LINK:
            raise StrangerError("not proved")
        if channel != mux.LINK:
            self._received[channel] += length
            if self._received[channel] > self._granted[channel]:
                raise mux.OversizedFrame("window of channel %d overrun" % channel)
        self._got = 0
        self._channel = channel
        self._left = length
        self._more = bool(head[1] & mux.MORE)
        if channel == mux.AUDIO:
            self._audio_got = 0
            self._audio_at = -1
            self._audio_size = length
        elif channel <= mux.RPC and self._lengths[channel] + length > len(self._messages[channel]):
            raise mux.OversizedFrame("message on channel %d is too long" % channel)
        elif channel == mux.BULK:
            if self._more:
                raise mux.MalformedFrame("a piece of an upload is one frame")
            if self.bulk is None:
                self._listener.refused("stray")
            else:
                self.bulk.frame(self, length)
        if not length:
            self._end()

    def _end(self):
        channel = self._channel
        self._channel = -1
        if channel == mux.AUDIO:
            if self._audio_at >= 0 and self.sink is not None:
                self.sink.commit()
            return
        if self._more or channel > mux.RPC:
            return
        size = self._lengths[channel]
        self._lengths[channel] = 0
        message = bytes(memoryview(self._messages[channel])[:size])
        if channel == mux.LINK:
            self._link(message)
        elif self.rpc is not None:
            self.rpc.receive(message)

    def _audio(self, at, take):
        done = self._audio_got
        if done < audio.HEADER_BYTES:
            part = min(audio.HEADER_BYTES - done, take)
            dsp.copy_bytes(self._audio_head, done, self._in, at, part)
            done += part
            self._audio_got = done
            at += part
            take -= part
            if done == audio.HEADER_BYTES:
                self._place()
        if not take:
            return
        if self._audio_at >= 0:
            to = self._audio_at + done - audio.HEADER_BYTES
            dsp.copy_bytes(self.sink.memory, to, self._in, at, take)
        self._audio_got = done + take

    def _place(self):
        if self.sink is not None:
            self._audio_at = self.sink.place(self._audio_head, self._audio_size)

    def _link(self, message):
        if not message:
            raise mux.MalformedFrame("empty link message")
        kind = message[0]
        if kind == mux.GOODBYE:
            raise OSError(0)
        if self.identity is None:
            self._prove(kind, message)
        elif kind == mux.PING:
            self.link_message(mux.pong(mux.parse_nonce(message)))
        elif kind == mux.WINDOW:
            channel, limit = mux.parse_window(message)
            self._limit[channel] = limit
        elif kind != mux.PONG:
            raise mux.MalformedFrame("link message %d" % kind)

    def _prove(self, kind, message):
        if kind == mux.HELLO:
            if self._handshake is None:
                self._handshake = self._listener.handshake()
            self.link_message(self._handshake.take_hello(message))
        elif kind == mux.AUTH and self._handshake is not None:
            proof = self._handshake.verify(message)
            self.role = self._handshake.role
            self.member = self._handshake.adopted
            self.identity = self._handshake.identity
            self.secret = None if self.member else self._handshake.secret()
            self._handshake = None
            self._listener.admit(self, proof)
        else:
            raise StrangerError("link message %d before it is proved who sends it" % kind)

    def sit(self, seat):
        """Take the buffers of a peer."""
        self.seat = seat
        self._messages = (self._link_message, seat.message)
        dsp.copy_bytes(seat.out, 0, self._out, self._out_at, self._out_end - self._out_at)
        self._out_end -= self._out_at
        self._out_at = 0
        self._out = seat.out

    # Windows

    def _grant(self):
        self._grant_messages(mux.RPC)
        self._grant_bulk()
        ring = self.sink
        if ring is None:
            return
        taken = self._received[mux.AUDIO]
        if self._channel == mux.AUDIO:
            taken -= self._audio_size  # it is on its way, and needs its room yet
        limit = ring.window(taken)
        if limit > self._granted[mux.AUDIO]:
            self._granted[mux.AUDIO] = limit
        moved = self._granted[mux.AUDIO] - self._told[mux.AUDIO]
        if moved and moved >= _WINDOW_CHUNKS * self._audio_size:
            self._tell(mux.AUDIO)

    def _grant_bulk(self):
        room = mux.MESSAGE_WINDOW
        if self.bulk is not None:
            # What is being read counts as received, and needs its room yet.
            room = self.bulk.room(self._left if self._channel == mux.BULK else 0)
        self._grant_messages(mux.BULK, room)

    def _grant_messages(self, channel, room=mux.MESSAGE_WINDOW):
        limit = self._received[channel] + min(room, mux.MESSAGE_WINDOW)
        if limit > self._granted[channel]:
            self._granted[channel] = limit
        moved = self._granted[channel] - self._told[channel]
        # Little is worth telling, too, to a peer that is left without room for a frame: where
        # memory is nearly full, more than that may never come.
        stuck = self._told[channel] - self._received[channel] < mux.MAX_PAYLOAD
        if moved >= mux.MESSAGE_WINDOW // 2 or (moved and stuck):
            self._tell(channel)

    def _tell(self, channel):
        if not self._room(mux.HEADER_BYTES + mux.WINDOW_BYTES):
            return
        self._told[channel] = self._granted[channel]
        at = self._out_end
        mux.pack_header_into(self._out, at, mux.LINK, mux.WINDOW_BYTES)
        limit = self._folded[channel] + self._granted[channel]
        mux.pack_window_into(self._out, at + mux.HEADER_BYTES, channel, limit)
        self._out_end = at + mux.HEADER_BYTES + mux.WINDOW_BYTES
        if self._received[channel] > _FOLD:
            self._received[channel] -= _FOLD
            self._granted[channel] -= _FOLD
            self._told[channel] -= _FOLD
            self._folded[channel] += _FOLD

    def feed(self, ring):
        """Take audio from this peer into `ring`, or none."""
        self.sink = ring
        self._audio_at = -1

    # Sending

    def link_message(self, payload):
        """Queue a LINK message."""
        self._queue(mux.LINK, payload, 0)

    def send_message(self, message):
        """Queue an RPC message, whole or not at all. False if it does not fit just now."""
        frames = len(message) // mux.MAX_PAYLOAD + 1
        room = mux.room(self._limit[mux.RPC], self._sent[mux.RPC])
        if len(message) > room or not self._room(len(message) + frames * mux.HEADER_BYTES):
            return False
        at = 0
        while len(message) - at > mux.MAX_PAYLOAD:
            self._queue(mux.RPC, message[at : at + mux.MAX_PAYLOAD], mux.MORE)
            at += mux.MAX_PAYLOAD
        self._queue(mux.RPC, message[at:], 0)
        self._sent[mux.RPC] = (self._sent[mux.RPC] + len(message)) & 0xFFFFFFFF
        return True

    def goodbye(self, reason):
        """Say why, as far as the socket takes it at once."""
        self.link_message(mux.goodbye(reason))
        try:
            self._flush()
        except OSError:
            pass

    def _room(self, size):
        if self._out_at and self._out_end + size > len(self._out):
            dsp.copy_bytes(self._out, 0, self._out, self._out_at, self._out_end - self._out_at)
            self._out_end -= self._out_at
            self._out_at = 0
        return self._out_end + size <= len(self._out)

    def _queue(self, channel, payload, flags):
        size = len(payload)
        if not self._room(size + mux.HEADER_BYTES):
            return
        end = self._out_end
        mux.pack_header_into(self._out, end, channel, size, flags)
        end += mux.HEADER_BYTES
        dsp.copy_bytes(self._out, end, payload, 0, size)
        self._out_end = end + size

    def _flush(self):
        while self._out_at < self._out_end:
            # MicroPython's stream write takes offset and size: no slice is made.
            n = self._socket.write(self._out, self._out_at, self._out_end - self._out_at)
            if not n:
                return True
            self._out_at += n
        self._out_at = 0
        self._out_end = 0
        return True

    def close(self):
        """Let go of the socket and the seat."""
        self.identity = None
        self._handshake = None
        self._messages = (self._link_message, b"")
        self._out = self._door
        self._out_at = self._out_end = 0
        self._socket.close()
