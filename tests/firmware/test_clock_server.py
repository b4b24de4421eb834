"""A board that tells the time, over a real socket on this machine."""

import socket
from time import ticks_us

from phantom.clock import HouseClock
from phantom.clock_server import ClockServer
from phantom.wire import clock as wire
from tests.portable import Random

PORTABLE = True


class Asker:
    """A socket that asks a server on a port of this machine."""

    def __init__(self, server):
        self.server = server
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(socket.getaddrinfo("127.0.0.1", server.port)[0][-1])
        self.socket.setblocking(False)

    def ask(self, datagram):
        """What the server answers, None for nothing."""
        self.socket.send(datagram)
        self.server.serve()
        try:
            return self.socket.recv(100)
        except OSError:
            return None


def request(sequence=1, token=2, t1=3):
    buffer = bytearray(wire.REQUEST_BYTES)
    wire.pack_request_into(buffer, sequence, token, t1)
    return bytes(buffer)


def open_server(clock):
    """A server on a free port, and someone who asks."""
    for port in range(40000 + ticks_us() % 20000, 62000):
        server = ClockServer(clock, port)
        try:
            address = socket.getaddrinfo("0.0.0.0", port)[0][-1]
            server.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            server.socket.setblocking(False)
            server.socket.bind(address)
        except OSError:
            server.close()
            continue
        return server, Asker(server)
    raise OSError("no free port")


def founded():
    clock = HouseClock()
    clock.found(ticks_us(), 1234)
    return clock


def test_an_answer_gives_house_time_and_how_long_it_was_held():
    clock = founded()
    server, asker = open_server(clock)
    before = clock.house_us(ticks_us())
    data = asker.ask(request(9, 10, 11))
    after = clock.house_us(ticks_us())
    sequence, token, t1, generation, t2, hold = wire.parse_reply(data, len(data))
    assert (sequence, token, t1, generation) == (9, 10, 11, 1234)
    assert before <= t2 <= t2 + hold <= after
    assert server.answered == 1
    server.close()


def test_without_house_time_nothing_is_answered():
    server, asker = open_server(HouseClock())
    assert asker.ask(request()) is None
    assert server.refused == 1
    server.close()


def test_garbage_is_counted_and_changes_nothing():
    server, asker = open_server(founded())
    random = Random(4)
    good = request()
    for i in range(500):
        bad = bytearray(good)
        kind = random.below(3)
        if kind == 0:
            bad[random.below(3)] ^= 1 + random.below(255)  # magic or kind
        elif kind == 1:
            bad = bad[: 1 + random.below(15)]
        else:
            bad += b"x" * (1 + random.below(80))
        assert asker.ask(bytes(bad)) is None, i
    assert server.refused == 500
    assert asker.ask(good) is not None
    server.close()


def test_a_full_mailbox_is_answered_in_one_turn():
    server, asker = open_server(founded())
    for i in range(6):
        asker.socket.send(request(i))
    assert server.serve() is None
    assert server.answered == 6
    assert server.serve() is None
    server.close()
