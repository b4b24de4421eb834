"""House time on a device, from the day on which it comes to a house."""

from time import ticks_add, ticks_ms

from phantom.clock import HouseClock
from phantom.house import House
from phantom.timekeeper import KEEPS_TIME
from phantom.wire import mux

PORTABLE = True

_TURN_MS = 250


class _Registrar:
    def __init__(self, adopted):
        self.adopted = adopted
        self.found = []
        self.flags = {}

    def peers(self):
        return self.found

    def set_service(self, name, port, now_ms):
        pass

    def set_flag(self, flag, on, now_ms):
        self.flags[flag] = on


class _Properties(dict):
    def declare(self, name, value):
        self[name] = value

    def set(self, name, value):
        self[name] = value


class _Box:
    def __init__(self):
        self.id = "box"
        self.role = mux.ROLE_BOX
        self.flags = KEEPS_TIME
        self.services = {"clock": 4771}
        self.addresses = ["127.0.0.1"]


class _Exchange:
    def __init__(self):
        self.fed = 0
        self.asks = None

    def start(self, host, port, now):
        self.asks = (host, port)

    def stop(self):
        self.asks = None


class _Device:
    """Its house service alone, in simulated time."""

    def __init__(self, adopted):
        self.now_ms = ticks_ms()
        self.air = _Registrar(adopted)
        self.told = _Properties()
        self.house = House("kitchen", HouseClock(), lambda: 7, self.air, self.told)
        self.house._exchange = self.exchange = _Exchange()

    def turn(self, seconds):
        for _ in range(seconds * 1000 // _TURN_MS):
            self.now_ms = ticks_add(self.now_ms, _TURN_MS)
            self.house.chore(self.now_ms)


def test_a_device_of_no_house_begins_no_timeline():
    device = _Device(adopted=False)
    device.turn(60)
    assert not device.told["clock.synced"]
    assert not device.air.flags[KEEPS_TIME]


def test_one_that_is_adopted_asks_the_box_at_once():
    device = _Device(adopted=False)
    device.turn(60)
    device.air.adopted = True
    device.air.found.append(_Box())
    device.turn(1)
    assert device.told["clock.server"] == "box"
    assert device.exchange.asks == ("127.0.0.1", 4771)


def test_one_that_is_adopted_where_nobody_keeps_time_listens_before_it_begins_a_timeline():
    device = _Device(adopted=False)
    device.turn(60)
    device.air.adopted = True
    device.turn(2)
    assert not device.told["clock.synced"]
    device.turn(2)
    assert device.told["clock.synced"]
