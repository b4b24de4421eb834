"""Two ends of JSON-RPC and the wire between them, which a test turns by hand."""

from phantom.rpc import Rpc


class Pair:
    """near and far talk; `step` delivers one message, `run` all, `lose` drops what is out."""

    def __init__(self, limit=4096):
        self._wire = []  # (receiver, message)
        self.sent = 0
        self.longest = 0
        self.full = False  # whether far's messages find no room
        self.refused = []  # kinds that far has counted
        self._now_ms = 0
        self.near = Rpc(lambda message: self._send(self.far, message), limit)
        self.far = Rpc(self._send_back, limit, refused=self.refused.append)
        self.tick(0)

    def _send_back(self, message):
        if self.full:
            return False
        self._send(self.near, message)
        return True

    def _send(self, receiver, message):
        self.sent += 1
        self.longest = max(self.longest, len(message))
        self._wire.append((receiver, message))

    def step(self):
        """Deliver the oldest message."""
        if self._wire:
            receiver, message = self._wire.pop(0)
            receiver.receive(message)

    def run(self):
        """Deliver until nothing is under way."""
        while self._wire:
            self.step()

    def lose(self):
        """Drop all that is under way."""
        self._wire.clear()

    def tick(self, ms):
        """Let time pass at both ends."""
        self._now_ms += ms
        self.near.tick(self._now_ms)
        self.far.tick(self._now_ms)

    def ask(self, method, params):
        """Call far and have its answer, or raise it."""
        got = []
        self.near.call(method, params, 1000, lambda *answer: got.append(answer))
        self.run()
        result, error = got[0]
        if error:
            raise error
        return result
