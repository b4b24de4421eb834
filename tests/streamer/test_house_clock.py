"""House time as devices get it: pure arithmetic first, then over a real socket."""

import random
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from phantom.wire import clock
from storagebox.streamer.house_clock import (
    MAX_AGE_NS,
    HouseClockServer,
    HouseTime,
    answer,
    arrival_ns,
)

SECOND = 1_000_000_000


def request(sequence: int = 1, token: int = 2, t1: int = 3) -> bytes:
    """A device's question."""
    buffer = bytearray(clock.REQUEST_BYTES)
    clock.pack_request_into(buffer, sequence, token, t1)
    return bytes(buffer)


@contextmanager
def serving(address: str = "127.0.0.1", offset_us: int = 0) -> Iterator[HouseClockServer]:
    """A server on a port of its own."""
    server = HouseClockServer(HouseTime(77, offset_us), address, 0)
    try:
        yield server
    finally:
        server.close()


def ask(server: HouseClockServer, *datagrams: bytes, to: str = "127.0.0.1") -> list[bytes]:
    """What comes back for some datagrams."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.connect((to, server.port))
        for datagram in datagrams:
            asker.send(datagram)
            server.readable()
        answers: list[bytes] = []
        while select.select([asker], [], [], 0)[0]:
            answers.append(asker.recv(100))
        return answers


def test_an_answer_says_when_the_question_came_and_how_long_it_was_held():
    house = HouseTime(generation=5, offset_us=1_000_000)
    reply = answer((1, 2, 3), house, arrived_ns=7_000_999, now_ns=7_250_000)
    assert clock.parse_reply(reply, len(reply)) == (1, 2, 3, 5, 1_007_000, 250)


def test_a_kernel_stamp_counts_by_its_age():
    assert arrival_ns(5 * SECOND, 5 * SECOND + 300, 9 * SECOND) == 9 * SECOND - 300
    assert arrival_ns(5 * SECOND, 5 * SECOND, 9 * SECOND) == 9 * SECOND


def test_a_wall_clock_that_stepped_is_not_believed():
    assert arrival_ns(5 * SECOND, 5 * SECOND - 1, 9 * SECOND) is None
    assert arrival_ns(5 * SECOND, 5 * SECOND + MAX_AGE_NS + 1, 9 * SECOND) is None
    assert arrival_ns(5 * SECOND, 5 * SECOND + MAX_AGE_NS, 9 * SECOND) is not None
    assert arrival_ns(None, 5 * SECOND, 9 * SECOND) is None


def _asked_and_left_waiting(server: HouseClockServer) -> tuple[int, int, int, int]:
    """Just before and just after a request was sent; the reply's arrival and hold, all in us."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.connect(("127.0.0.1", server.port))
        before_us = time.monotonic_ns() // 1000
        asker.send(request())
        sent_us = time.monotonic_ns() // 1000
        time.sleep(0.02)
        server.readable()
        reply = clock.parse_reply(asker.recv(100), clock.REPLY_BYTES)
    assert reply is not None
    _, _, _, generation, t2, hold = reply
    assert generation == 77
    return before_us, sent_us, t2, hold


def test_arrival_is_stamped_by_the_kernel_and_not_when_it_is_looked_at():
    with serving() as server:
        # The kernel begins to stamp in the background, once the first socket has asked for it;
        # until then it stamps what is read.
        for _ in range(50):
            before_us, sent_us, t2, hold = _asked_and_left_waiting(server)
            if t2 < sent_us + 15_000:
                break
        # The two clocks are read one after the other: a few microseconds may lie between.
        assert before_us - 100 <= t2 <= sent_us + 5_000
        assert hold >= 15_000
        assert server.counters.unstamped == 0


def test_house_time_is_offset_from_the_machines():
    with serving(offset_us=5_000_000_000) as server:
        reply = clock.parse_reply(ask(server, request())[0], clock.REPLY_BYTES)
        assert reply is not None
        assert abs(reply[4] - time.monotonic_ns() // 1000 - 5_000_000_000) < SECOND // 1000


def test_all_that_waits_is_answered_in_one_go():
    with serving() as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.connect(("127.0.0.1", server.port))
        for sequence in range(20):
            asker.send(request(sequence))
        server.readable()
        sequences = [clock.parse_reply(asker.recv(100), 32)[0] for _ in range(20)]
    assert sequences == list(range(20))


def test_an_answer_comes_from_the_address_that_was_asked():
    with serving("0.0.0.0") as server:
        # A connected socket hears only that address.
        assert len(ask(server, request(), to="127.0.0.9")) == 1


def test_a_busy_port_is_an_error():
    with serving() as server, pytest.raises(OSError, match="in use"):
        HouseClockServer(HouseTime(1), "127.0.0.1", server.port)


def test_ten_thousand_mutated_datagrams_are_ignored_or_answered_and_change_nothing():
    rng = random.Random(11)
    good = request(9, 10, 11)
    with serving() as server:
        for _ in range(200):
            batch: list[bytes] = []
            for _ in range(50):
                datagram = bytearray(good)
                for _ in range(rng.randrange(4)):
                    kind = rng.randrange(4)
                    if kind == 0 and datagram:
                        datagram[rng.randrange(len(datagram))] = rng.randrange(256)
                    elif kind == 1:
                        del datagram[rng.randrange(len(datagram) + 1) :]
                    elif kind == 2:
                        datagram += rng.randbytes(rng.randrange(200))
                    else:
                        datagram = bytearray(rng.randbytes(rng.randrange(40)))
                batch.append(bytes(datagram))
            answers = ask(server, *batch)
            assert all(len(reply) == clock.REPLY_BYTES for reply in answers)
        counters = server.counters
        assert counters.answered + counters.ignored == 10_000
        assert counters.ignored > 1000
        assert counters.answered > 1000
        assert ask(server, b"") == []
        assert clock.parse_reply(ask(server, good)[0], 32)[:3] == (9, 10, 11)
