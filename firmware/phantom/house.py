"""House time on a device: the clock, whom it asks, whom it tells. A service of the device.

`timekeeper` decides, `exchange` asks, `clock_server` tells; here they meet. A device of no house
has no time: one of its own would be in the way when it is adopted. A peer may name the
server to ask (`device.clock`), for a box that says nothing by beacons; once that one has been
silent for some seconds the election is on again.
"""

from time import ticks_add, ticks_diff, ticks_ms, ticks_us

from micropython import const

from .clock_server import ClockServer
from .exchange import Exchange
from .rpc import whole
from .timekeeper import ALONE, ASK, FOUND, KEEPS_TIME, SERVICE, Timekeeper
from .wire import CLOCK_PORT

# The fit takes some milliseconds on an ESP32; once a second follows any crystal.
_FIT_US = const(1000000)
_FIT_SOON_US = const(40000)
# Until the window has filled a little, every few exchanges sharpen the line.
_SETTLED_SAMPLES = const(32)
_ELECTION_MS = const(250)
# A named server is given up after this: it is gone longer than a stall of the network lasts.
_NAMED_MS = const(5000)


class House:
    """House time for the device `me`. `random32()` gives tokens and generations; `ipv6` says
    whether its sockets reach such addresses."""

    def __init__(self, me, clock, random32, registrar, properties, port=CLOCK_PORT, ipv6=False):
        now_ms = ticks_ms()
        self.clock = clock
        self._random32 = random32
        self._registrar = registrar
        self._properties = properties
        self._ipv6 = ipv6
        self._keeper = Timekeeper(me, now_ms)
        self._exchange = Exchange(clock, random32())
        self._server = ClockServer(clock, port)
        self._fitted = ticks_us()
        self._named = None  # (host, port) that a peer named
        self._named_ms = now_ms  # when it last answered
        self._place = None  # (host, port) of the elected server, as it was first asked
        self._fed = 0
        self._next_ms = now_ms
        registrar.set_service(SERVICE, self._server.port, now_ms)
        properties.declare("clock.server", None)  # id or address; None: nobody is asked
        properties.declare("clock.synced", False)
        properties.declare("clock.keeps", False)
        properties.declare("clock.generation", None)

    @property
    def refused(self):
        """Datagrams that were neither questions nor answers to ours."""
        return self._exchange.refused + self._server.refused

    def poll(self, now, now_ms):
        """One turn of the loop, at ticks_us `now`: tell, ask, take answers, draw the line."""
        self._server.poll(now_ms)
        if not self._exchange.poll(now):
            return
        clock = self.clock
        wait = _FIT_US if clock.samples > _SETTLED_SAMPLES else _FIT_SOON_US
        if ticks_diff(now, self._fitted) >= wait or not clock.synced:
            self._fitted = now
            # Later than any exchange in the window: ages are never negative.
            clock.fit(ticks_us())

    # The service

    def serve(self, connection):
        """Let a peer name the server to ask."""
        connection.rpc.register("device.clock", lambda port: self._name(connection.host, port))

    def lost(self, connection):
        """A server that was named goes on until it is silent."""

    def chore(self, now_ms):
        """Hold the election, a few times a second."""
        if ticks_diff(now_ms, self._next_ms) < 0:
            return
        self._next_ms = ticks_add(now_ms, _ELECTION_MS)
        heard = self._exchange.fed != self._fed
        self._fed = self._exchange.fed
        if not self._registrar.adopted:
            self._keeper.wait(now_ms)
        elif not self._follows_named(heard, now_ms):
            self._elect(heard, now_ms)
        self.clock.carry(ticks_us())
        self._tell(now_ms)

    def _name(self, host, port):
        whole(port, 1, 65535, "port")
        for peer in self._registrar.peers():
            if host in peer.addresses and peer.services.get(SERVICE) == port:
                return True  # it stands for election
        if self._named != (host, port) or not self.clock.synced:
            self._named = (host, port)
            self._named_ms = ticks_ms()
            self._exchange.start(host, port, ticks_us())
        return True

    def _follows_named(self, heard, now_ms):
        if self._named is None:
            return False
        if heard:
            self._named_ms = now_ms
        if ticks_diff(now_ms, self._named_ms) < _NAMED_MS:
            return True
        self._named = None
        self._exchange.stop()
        self._keeper.resign(now_ms)
        return False

    def _elect(self, heard, now_ms):
        keeper = self._keeper
        clock = self.clock
        verdict = keeper.turn(
            self._registrar.peers(), clock.synced, clock.settled(), heard, now_ms
        )
        place = self._place_of(keeper.server)
        if verdict == FOUND:
            self._exchange.stop()
            clock.found(ticks_us(), self._random32())
        elif verdict == ALONE:
            self._exchange.stop()
        elif place is not None and (verdict == ASK or place != self._place):
            self._exchange.start(place[0], place[1], ticks_us())
        self._place = place

    def _place_of(self, peer):
        if peer is not None:
            for address in peer.addresses:
                if self._ipv6 or ":" not in address:
                    return (address, peer.services[SERVICE])
        return None

    def _tell(self, now_ms):
        clock = self.clock
        named = self._named
        server = self._keeper.server
        keeps = clock.settled() if named else self._keeper.keeps
        self._registrar.set_flag(KEEPS_TIME, keeps, now_ms)
        tell = self._properties.set
        tell("clock.server", named[0] if named else server.id if server is not None else None)
        tell("clock.synced", clock.synced)
        tell("clock.keeps", keeps)
        tell("clock.generation", clock.generation if clock.synced else None)
