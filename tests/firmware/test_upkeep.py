"""What is wrong with a device is told by its gravest reason, until it is mended."""

from phantom.upkeep import Upkeep
from phantom.wire import discovery

PORTABLE = True


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
