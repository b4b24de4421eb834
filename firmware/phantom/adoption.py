"""How a device comes to belong to an installation, and how it leaves.

Over a link proved by the code that the device shows, and by nothing else, there is one method:

    adoption.adopt {installation, key_masked, name, tag}    hex, hex, text, hex

The installation's key is masked with what only the two ends of this very link know; the tag shows
that nobody has changed it on its way. Over a link of the device's own installation:

    adoption.leave {}                                       it forgets the key and starts anew
"""

from binascii import unhexlify

from .keys import KEY_BYTES, hmac_sha256, mac, same
from .rpc import INVALID_PARAMS, REFUSED, RpcError
from .ticks import ticks_diff
from .wire import const

# For the answer to be on its way before the link that carries it is dropped.
_LINGER_MS = const(200)


def mask(secret, key):
    """A key masked, or a masked key bare, with a link's `secret` (bytes of `Handshake.secret`)."""
    pad = hmac_sha256(secret, b"key")
    return bytes([key[i] ^ pad[i] for i in range(KEY_BYTES)])


def tag(secret, installation, masked, name):
    """What shows that none of these was changed on the way."""
    return mac(secret, b"tag", installation, masked, name.encode())


class Adoption:
    """A service of the device. `part()` says goodbye to everybody, `leave()` forgets a house."""

    def __init__(self, membership, part, leave):
        self._membership = membership
        self._part = part
        self._leave = leave
        self._next = None  # what is to be done once the answer is on its way
        self._since = None

    def serve(self, connection):
        """Offer a peer what it may do."""
        if connection.member:
            connection.rpc.register("adoption.leave", self._ask_to_leave)
        else:
            secret = connection.secret
            connection.rpc.register("adoption.adopt", lambda **terms: self._adopt(secret, **terms))

    def lost(self, connection):
        """Nothing of it is kept."""

    def chore(self, now_ms):
        """Drop the links of the one adopted, start anew the one that leaves."""
        if self._next is None:
            return
        if self._since is None:
            self._since = now_ms
        elif ticks_diff(now_ms, self._since) >= _LINGER_MS:
            do = self._next
            self._next = self._since = None
            do()

    def _adopt(self, secret, installation, key_masked, name, tag):
        if self._membership.adopted:
            raise RpcError(REFUSED, "adopted already, into %s" % self._membership.name)
        try:
            installation, masked, shown = (
                unhexlify(installation),
                unhexlify(key_masked),
                unhexlify(tag),
            )
        except (TypeError, ValueError):
            raise RpcError(INVALID_PARAMS, "installation, key_masked and tag are hexadecimal")
        if not isinstance(name, str) or len(masked) != KEY_BYTES:
            raise RpcError(INVALID_PARAMS, "name is text, key_masked has 32 bytes")
        if not same(shown, _tag(secret, installation, masked, name)):
            raise RpcError(REFUSED, "the tag does not fit: somebody has changed this on its way")
        self._membership.join(installation, mask(secret, masked), name)
        self._next = self._part
        return {"id": self._membership.id}

    def _ask_to_leave(self):
        self._next = self._leave
        return True


_tag = tag  # which a parameter hides above
