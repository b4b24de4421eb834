"""Uploads to a device: bytes of any size on the BULK channel, for a purpose that wants them.

    transfer.begin  {id, size, purpose, sha256?}
    BULK frames     see phantom.wire.bulk, in order
    transfer.end    {id}                           {"size", "sha256", "ms"}
    transfer.cancel {id}

Bytes are hashed and handed on as they come, for a board has no room to keep them; and so there is
one upload at a time. It ends with its link.
"""

import hashlib
from binascii import hexlify

from .rpc import INVALID_PARAMS, MALFORMED, REFUSED, STRAY, RpcError, whole
from .ticks import ticks_diff
from .wire import bulk, const, mux

OVERSIZED = "oversized"
REPLAYED = "replayed"
# A sender that has said nothing of its upload for so long has forgotten it; others may want to.
IDLE_MS = const(10000)
_DIGEST_CHARS = const(64)


class Transfers:
    """The uploads of a device, one after another; `uploads` says what receivers are.

    refused(kind) hears of each piece that was refused.
    """

    def __init__(self, receivers, refused):
        self._receivers = receivers
        self._refused = refused
        self._head = bytearray(bulk.HEADER_BYTES)
        self.now_ms = 0
        self._owner = None  # the connection that uploads
        self._receiver = None

    @property
    def busy(self):
        """Whether an upload is under way."""
        return self._owner is not None

    def room(self, coming=0):
        """Bytes of frames, heads included, that the receiver can take beside `coming` more of the
        one that is being read; what it can't is not granted to the sender."""
        receiver = self._receiver
        if not hasattr(receiver, "room"):
            return mux.MESSAGE_WINDOW - coming
        data = max(0, receiver.room() - coming)
        return data + -(-data // bulk.DATA_BYTES) * bulk.HEADER_BYTES

    def lost(self, connection):
        """A peer has gone, and its upload with it."""
        if self._owner is connection:
            self._drop()

    def chore(self, now_ms):
        """Forget an upload that its sender has forgotten; not one that waits for this end."""
        if self._owner is not None and self.room() < bulk.HEADER_BYTES + bulk.DATA_BYTES:
            self._heard_ms = now_ms
        if self._owner is not None and ticks_diff(now_ms, self._heard_ms) > IDLE_MS:
            self._drop()

    # Calls

    def begin(self, connection, id, size, purpose, sha256=None):
        """Expect an upload."""
        whole(id, 0, 0xFFFF, "id")
        whole(size, 0, bulk.MAX_SIZE, "size")
        if not isinstance(purpose, str) or purpose not in self._receivers:
            known = ", ".join(sorted(self._receivers))
            raise RpcError(INVALID_PARAMS, "nothing here takes that purpose; choose of: " + known)
        if sha256 is not None and (not isinstance(sha256, str) or len(sha256) != _DIGEST_CHARS):
            raise RpcError(INVALID_PARAMS, "sha256 must be 64 hexadecimal digits")
        if self._owner is not None:
            raise RpcError(REFUSED, "another upload is under way: try again when it has ended")
        factory = self._receivers[purpose]
        self._receiver = factory(size) if factory else None
        self._owner = connection
        connection.bulk = self
        self._id = id
        self._size = size
        self._wanted = sha256
        self._hash = hashlib.sha256()
        self._got = 0
        self._fault = None
        self._take = False  # the rest of the frame being read
        self._heard_ms = self.now_ms
        self._first_ms = self._last_ms = 0  # of the bytes
        return True

    def end(self, connection, id):
        """All has been sent: has all come?"""
        self._check(connection, id)
        fault = self._fault
        if fault is None and self._got < self._size:
            fault = "only %d of %d bytes have come" % (self._got, self._size)
        digest = ""
        if fault is None:
            digest = hexlify(self._hash.digest()).decode()
            if self._wanted is not None and digest != self._wanted.lower():
                fault = "what came has the SHA-256 %s: send it again" % digest
        if fault is not None:
            self._drop()
            raise RpcError(REFUSED, fault)
        receiver = self._receiver
        self._receiver = None  # whatever it says now, it is not to be aborted any more
        self._drop()
        if receiver is not None:
            receiver.finish()
        ms = ticks_diff(self._last_ms, self._first_ms)
        return {"size": self._size, "sha256": digest, "ms": ms}

    def cancel(self, connection, id):
        """Forget what has come."""
        self._check(connection, id)
        self._drop()
        return True

    def _check(self, connection, id):
        if self._owner is not connection or id != self._id:
            raise RpcError(INVALID_PARAMS, "no upload of that id is under way: begin it")

    def _drop(self):
        self._owner = None
        self._hash = None
        self._abort()

    def _abort(self):
        receiver = self._receiver
        self._receiver = None
        if receiver is not None:
            receiver.abort()

    # Frames, as the link reads them: in as many pieces as they come in

    def frame(self, connection, length):
        """A frame of `length` bytes begins."""
        self._take = False
        if self._owner is not connection:
            self._refused(STRAY)  # it was on its way when its upload ended
        elif self._fault is None:
            self._head_got = 0
            self._length = length - bulk.HEADER_BYTES
            if self._length <= 0:
                self._fail(MALFORMED, "a piece of %d bytes" % length)
            else:
                self._take = True

    def piece(self, connection, buffer, at, count, now_ms):
        """`count` bytes of it are at `at` of `buffer`."""
        if self._owner is not connection or not self._take:
            return
        got = self._head_got
        if got < bulk.HEADER_BYTES:
            take = min(bulk.HEADER_BYTES - got, count)
            for i in range(take):
                self._head[got + i] = buffer[at + i]
            self._head_got = got + take
            at += take
            count -= take
            if self._head_got == bulk.HEADER_BYTES:
                self._place()
        if count and self._take:
            self._heard_ms = self._last_ms = now_ms
            if not self._got:
                self._first_ms = now_ms
            self._write(memoryview(buffer)[at : at + count])
            self._got += count

    def _place(self):
        identity, offset = bulk.parse_header(self._head)
        if identity != self._id:
            self._take = False
            self._refused(STRAY)
        elif offset != self._got:
            kind = REPLAYED if offset < self._got else MALFORMED
            self._fail(kind, "bytes from %d came, those from %d were due" % (offset, self._got))
        elif self._length > self._size - self._got:
            self._fail(OVERSIZED, "more than %d bytes came" % self._size)

    def _write(self, view):
        self._hash.update(view)
        if self._receiver is not None:
            try:
                self._receiver.write(view)
            except RpcError as fault:
                self._fault = fault.message
                self._take = False
                self._abort()

    def _fail(self, kind, text):
        self._fault = text
        self._take = False
        self._abort()
        self._refused(kind)
