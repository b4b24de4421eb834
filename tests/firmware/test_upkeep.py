"""What is wrong with a device is told, the gravest first; it is watched, and steady in time."""

import loader
from phantom.properties import Properties
from phantom.upkeep import STEADY_MS, Upkeep
from phantom.wire import discovery
from tests.firmware import updating

PORTABLE = True
_OTHER_FLAGS = discovery.SAFE_MODE


class Boot:
    """Stands where the loader's State would."""

    reason = None
    faults = ()


class Member:
    """Stands where a membership would."""

    fault = "membership: /boots.json can't be saved: 28"
    full = True


def test_the_gravest_fault_is_told_and_the_next_one_once_it_is_mended():
    upkeep = Upkeep(Boot)
    assert upkeep.reason == ""
    upkeep.fault("/safe is damaged", discovery.DAMAGED_SPARE)
    upkeep.fault("device.json is damaged", discovery.DAMAGED_CONFIG)
    upkeep.fault("device.json is damaged", discovery.OTHER)  # once is enough
    assert (upkeep.reason, len(upkeep.faults)) == (discovery.DAMAGED_CONFIG, 2)
    upkeep.mended("device.json is damaged")
    assert upkeep.reason == discovery.DAMAGED_SPARE
    upkeep.mended("/safe is damaged")
    assert (upkeep.reason, upkeep.faults) == ("", [])


def test_a_full_flash_is_told_as_such_and_not_as_damage():
    upkeep = Upkeep(Boot)
    upkeep.look_at(Member)
    assert (upkeep.reason, upkeep.faults) == (discovery.FLASH_FULL, [Member.fault])


def test_what_the_loader_found_stays_told_whatever_else_is_mended():
    class Second(Boot):
        reason = discovery.CRASH_LOOP
        faults = ("slot b: it did not come up in 3 attempts",)

    upkeep = Upkeep(Second)
    upkeep.look_at(Member)
    upkeep.mended(Member.fault)
    assert (upkeep.reason, upkeep.faults) == (discovery.CRASH_LOOP, list(Second.faults))


class _Beacon:
    """Stands where the registrar would: the flags that it sends."""

    def __init__(self):
        self.flags = _OTHER_FLAGS

    def set_fault(self, reason, now_ms):
        del now_ms
        self.flags = discovery.with_reason(self.flags, reason)


def _upkeep(boot):
    upkeep = Upkeep(boot)
    beacon = _Beacon()
    properties = Properties()
    restarts = []
    upkeep.begin(beacon, properties, lambda: restarts.append(1))
    return upkeep, beacon, properties, restarts


def test_why_the_loader_chose_as_it_did_is_in_the_beacon_and_in_words():
    for reason in (loader.DAMAGED, loader.CRASHES, loader.WATCHDOG, loader.ASKED):
        boot = updating.Boot(loader.SAFE, reason=reason)
        boot.faults = ["slot a: so and so"]
        _, beacon, properties, _ = _upkeep(boot)
        assert discovery.reason_of(beacon.flags) == reason
        assert beacon.flags & _OTHER_FLAGS
        assert properties.get("device.faults") == ["slot a: so and so"]


def test_each_reason_travels_and_what_is_unknown_is_some_other():
    for reason in discovery.REASONS:
        flags = discovery.with_reason(_OTHER_FLAGS | 0xF0, reason)
        assert discovery.reason_of(flags) == reason
        assert flags & 0x0F & ~discovery.FAULT == _OTHER_FLAGS
    assert discovery.reason_of(discovery.with_reason(0, "of a later version")) == discovery.OTHER
    assert discovery.reason_of(discovery.FAULT | 0xF0) == discovery.OTHER


def test_a_life_is_steady_after_a_minute_unless_it_is_on_trial():
    for trial in (False, True):
        boot = updating.Boot(trial=trial)
        upkeep, _, _, _ = _upkeep(boot)
        upkeep.chore(1000)
        upkeep.chore(1000 + STEADY_MS - 1)
        assert not boot.was_steady
        upkeep.chore(1000 + STEADY_MS)
        assert boot.was_steady != trial


def test_the_watchdog_is_fed_only_while_both_loop_and_chores_turn():
    boot = updating.Boot()
    fed = []
    boot.watch = lambda: lambda: fed.append(1)
    upkeep, _, _, _ = _upkeep(boot)
    upkeep.watch()
    for _ in range(5):
        upkeep.poll()
    assert fed == []  # chores stand still
    upkeep.chore(0)
    upkeep.chore(50)
    assert fed == []  # the loop does
    upkeep.poll()
    upkeep.poll()
    assert fed == [1]
