"""Uploads, as long as nobody makes any: a small board has no memory to spare for `transfer`, so
that is loaded when an upload begins, and let go of some seconds after it has ended.
"""

import gc
import sys

from .ticks import ticks_diff
from .wire import const

# Who uploads one thing often uploads another: loading takes some 20 ms.
KEPT_MS = const(5000)


class Uploads:
    """A service of a device: serve, lost, chore. refused(kind) hears of each piece refused.

    breathe() sees that music goes on; it is called before each thing that takes its time.
    """

    def __init__(self, refused, breathe=None):
        self._refused = refused
        self.breathe = breathe or _nothing
        self._receivers = {"measure": None}  # that keeps nothing, and tells how long it took
        self._transfers = None
        self._used_ms = 0
        self._now_ms = 0

    def receiver(self, purpose, factory):
        """Take uploads for `purpose`: factory(size) gives a receiver, or raises RpcError.

        That has write(view), whose view is good for that call only, finish(), once all has come
        with the right digest, and abort(); the first two may raise RpcError. It may have room(),
        how many bytes it can take now: the sender gets no leave to send more. None of them may
        keep the loop for long.
        """
        self._receivers[purpose] = factory

    @property
    def busy(self):
        """Whether an upload is under way."""
        return self._transfers is not None and self._transfers.busy

    def serve(self, connection):
        """A peer has come."""
        for name in ("begin", "end", "cancel"):
            self._serve(connection, name)

    def _serve(self, connection, name):
        connection.rpc.register(
            "transfer." + name, lambda **asked: self._call(connection, name, asked)
        )

    def _call(self, connection, name, asked):
        if self._transfers is None:
            self.breathe()
            gc.collect()
            self.breathe()
            from .transfer import Transfers

            self._transfers = Transfers(self._receivers, self._refused)
        self._used_ms = self._now_ms
        self._transfers.now_ms = self._now_ms
        return getattr(self._transfers, name)(connection, **asked)

    def lost(self, connection):
        """A peer has gone, and its upload with it."""
        connection.bulk = None
        if self._transfers is not None:
            self._transfers.lost(connection)

    def chore(self, now_ms):
        """Forget an upload that its sender has forgotten, and `transfer` if nobody needs it."""
        self._now_ms = now_ms
        if self._transfers is None:
            return
        self._transfers.chore(now_ms)
        if self._transfers.busy:
            self._used_ms = now_ms
        elif ticks_diff(now_ms, self._used_ms) > KEPT_MS:
            self._transfers = None
            sys.modules.pop("phantom.transfer", None)
            if hasattr(sys.modules["phantom"], "transfer"):
                delattr(sys.modules["phantom"], "transfer")


def _nothing():
    pass
