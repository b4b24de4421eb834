"""Who is at the other end of a link, proved before anything else is said: the same on both ends.

    initiator                              acceptor
    HELLO, with a nonce        ------->
                               <-------    HELLO, with a nonce
    AUTH: MAC 1 of both        ------->
                               <-------    AUTH: MAC 2 of both

A MAC covers both HELLOs, each with a nonce that its sender has just drawn, so a recorded
handshake is worth nothing, and the labels differ, so an end's own MAC is worth nothing either.
The key is the installation's; between a device that belongs to none and whoever adopts it, it is
the key of the code that the device shows (`membership.code_key`).
"""

from .keys import hmac_sha256, mac, same
from .wire import PROTOCOL, const, mux

# From TCP's connection on, for two round trips and a board's loop, in bad Wi-Fi.
AUTH_MS = const(2000)

_FROM_INITIATOR = b"phantom link 1"
_FROM_ACCEPTOR = b"phantom link 2"
_SECRET = b"phantom link secret"


class WrongProtocolError(Exception):
    """The peer speaks another version of the protocol, in `protocol`."""

    def __init__(self, protocol):
        super().__init__("the peer speaks protocol %d, this end %d" % (protocol, PROTOCOL))
        self.protocol = protocol


class StrangerError(Exception):
    """The peer belongs to another installation, or does not know this one's key."""


class Handshake:
    """One connection's. `nonce` is mux.NONCE_BYTES that nobody could guess, used only here.

    After `take_hello`: role, identity and boot, which are only claims until `verify` returned.
    """

    def __init__(self, membership, role, initiator, nonce):
        self._initiator = initiator
        self._installation = membership.installation
        self._key = membership.key if membership.adopted else membership.code_key()
        self.adopted = membership.adopted
        self.hello = mux.hello(role, membership.id, membership.boot, self._installation, nonce)
        self._peer_hello = None
        self.role = 0
        self.identity = ""
        self.boot = 0
        self.proved = False

    def take_hello(self, payload):
        """Take the peer's HELLO; the answer to send: this end's HELLO or AUTH.

        Raises mux.MalformedFrame, WrongProtocolError or StrangerError.
        """
        if self._peer_hello is not None:
            raise mux.MalformedFrame("a second HELLO")
        if len(payload) > 1 and payload[1] != PROTOCOL:
            raise WrongProtocolError(payload[1])
        _, self.role, identity, self.boot, installation, _ = mux.parse_hello(payload)
        if bytes(installation) != self._installation:
            raise StrangerError("%s is of another installation" % identity)
        self.identity = identity
        self._peer_hello = bytes(payload)
        if self._initiator:
            return mux.auth(self._mac(_FROM_INITIATOR))
        return self.hello

    def verify(self, payload):
        """Take the peer's AUTH; what to send to be proved in turn, or None.

        Raises mux.MalformedFrame or StrangerError.
        """
        if self._peer_hello is None or self.proved:
            raise mux.MalformedFrame("AUTH out of turn")
        expected = _FROM_ACCEPTOR if self._initiator else _FROM_INITIATOR
        if not same(mux.parse_auth(payload), self._mac(expected)):
            raise StrangerError("%s does not know the key" % self.identity)
        self.proved = True
        return None if self._initiator else mux.auth(self._mac(_FROM_ACCEPTOR))

    def secret(self):
        """32 bytes that only the two ends of this connection know, once both are proved."""
        return hmac_sha256(self._key, _SECRET, *self._hellos())

    def _mac(self, label):
        return mac(self._key, label, *self._hellos())

    def _hellos(self):
        if self._initiator:
            return self.hello, self._peer_hello
        return self._peer_hello, self.hello
