"""Tells what this board is: a line of JSON behind a mark. Nothing on it is changed."""

import gc
import json
import os
import sys

# Where the firmware lies: the active slot is on the path already if boot.py has found one.
_FOLDERS = ("/a", "/b", "/safe", "/lib")


def _firmware():
    """phantom's config module and its version; (None, None) on a board without."""
    for folder in ("",) + _FOLDERS:
        if folder:
            sys.path.append(folder)
        try:
            from phantom import VERSION, config

            return config, VERSION
        except Exception:  # a damaged file raises what it likes
            for name in [n for n in sys.modules if n.startswith("phantom")]:
                del sys.modules[name]
    return None, None


def _steady():
    # The reset to come is somebody's wish, no failed start of the code.
    loader = sys.modules.get("loader") or sys.modules.get("loader2")
    state = getattr(loader, "state", None)
    if state:
        state.steady()


def _hardware(found):
    try:
        import machine

        found["mac"] = machine.unique_id().hex()
    except (ImportError, AttributeError):
        pass
    try:
        import esp

        found["flash_bytes"] = esp.flash_size()
    except ImportError:
        pass
    try:
        stat = os.statvfs("/")
        found["free_bytes"] = stat[0] * stat[3]
        found["filesystem_bytes"] = stat[0] * stat[2]
    except OSError:
        pass


def _silent(_):
    pass


def _owned(found, config):
    board = config.load_or(config.BOARD, {}, _silent)
    device = config.load_or(config.DEVICE, {}, _silent)
    house = config.load_or("/installation.json", {}, _silent)
    found["board"] = board.get("name")
    found["id"] = device.get("id", found.get("mac"))
    found["name"] = device.get("name")
    found["ssid"] = (device.get("wifi") or {}).get("ssid")
    found["house"] = house.get("name")


def _told():
    found = {
        "micropython": ".".join([str(part) for part in sys.implementation[1][:3]]),
        "machine": getattr(sys.implementation, "_machine", ""),
    }
    _hardware(found)
    config, found["phantom"] = _firmware()
    if config:
        _owned(found, config)
    gc.collect()
    found["free_heap_bytes"] = gc.mem_free()
    return found


_steady()
print("PHANTOM", json.dumps(_told()))
