"""What a board's beacons say is wrong with it, in words, and what to do about it."""

from __future__ import annotations

from phantom.wire import discovery

from .health import FAIR, SILENT, Health

_LOG = "`phantom call {id} device.log` says how"
# What is wrong, and what to do.
_WORDS = {
    discovery.DAMAGED_CODE: ("its code is damaged", "`phantom update` mends it"),
    discovery.CRASH_LOOP: ("its code crashed again and again", f"update it; {_LOG}"),
    discovery.WATCHDOG: ("its code stood still again and again", f"update it; {_LOG}"),
    discovery.FLASH_FULL: (
        "its flash is full",
        "`phantom call {id} storage.list` shows of what, and storage.remove makes room",
    ),
    discovery.NO_FACTS: ("it does not know its pins", "flash it again with its --board"),
    discovery.ASKED: ("somebody asked for it", "`phantom call {id} device.restart` ends it"),
    discovery.DAMAGED_CONFIG: ("what was decided for it was damaged", "look at its device.faults"),
    discovery.DAMAGED_SPARE: ("its code for safe mode was damaged", "it mends that itself"),
    discovery.OTHER: ("something is wrong", "look at its device.faults"),
}


def health_of(identity: str, flags: int) -> Health | None:
    """How a device is by its beacon's flags alone; None if nothing is wrong."""
    safe = bool(flags & discovery.SAFE_MODE)
    reason = discovery.reason_of(flags)
    if not safe and not reason:
        return None
    wrong, remedy = _WORDS[reason or discovery.OTHER]
    text = f"{wrong}: {remedy.format(id=identity)}"
    return Health(SILENT, f"safe mode, {text}") if safe else Health(FAIR, text)
