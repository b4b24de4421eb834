"""A power cut ends and a hundred devices start at once; on CPython, for it takes much memory."""

import pytest

from phantom.wire import mux
from tests.firmware.lan import Lan

SETTLE_MS = 5000


def _settled(lan: Lan) -> bool:
    everybody = len(lan.stations) - 1
    return all(len(station.registrar.peers()) == everybody for station in lan.stations)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_hundred_devices_that_start_at_once_know_each_other_within_five_seconds(seed: int):
    lan = Lan(seed, loss=40)
    lan.add(0, role=mux.ROLE_BOX)
    for number in range(1, 100):
        lan.add(number)
    for station in lan.stations:
        station.start()
    took = lan.run_until(lambda: _settled(lan), SETTLE_MS)
    lost = sum(station.dropped for station in lan.stations)
    print(f"settled in {took} ms, {lan.broadcasts} broadcasts, mailboxes dropped {lost}")
    assert took is not None
    lan.run(10000)
    removed = [change for s in lan.stations for change in s.changes if change[1] == "removed"]
    assert removed == []


def test_a_hundred_settled_devices_keep_the_air_free():
    lan = Lan(7, loss=40)
    for number in range(100):
        lan.add(number).start()
    lan.run(8000)
    lan.broadcasts = 0
    lan.run(25000)
    assert lan.broadcasts <= 25 * 16 * 1.15
