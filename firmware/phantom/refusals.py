"""How often this device has refused what peers sent, by kind: the property link.refused.

Kinds are those of `rpc` (malformed, unknown_method, invalid_params, stray) and of `link`
(stranger, oversized, protocol, crowded …). Nobody outside can make up a kind, so it stays small.
"""

PROPERTY = "link.refused"


class Refusals:
    """Counts, and a service of the device that publishes them."""

    def __init__(self, properties):
        self._properties = properties
        self._counts = {}
        self._news = False
        properties.declare(PROPERTY, {})

    def count(self, kind):
        """One more of `kind`."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        self._news = True

    def total(self):
        """All of them."""
        return sum(self._counts.values())

    def serve(self, connection):
        """Nothing to register."""

    def lost(self, connection):
        """Nothing to forget."""

    def chore(self, now_ms):
        """Publish what is new."""
        if self._news:
            self._news = False
            self._properties.set(PROPERTY, dict(self._counts))
