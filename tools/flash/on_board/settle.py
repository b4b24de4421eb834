"""Changes what this board was told: SETTINGS, JSON that is put before this text.

    {"device": {"id", "name", "wifi"}, "installation": {...} or {}, "try": wifi, "try_ms"}

Each key may be missing; an empty installation makes the board new. The Wi-Fi to "try" is tried
first, and if the board is not let in, nothing is changed. Files are written by phantom.config, in
two copies: a cut of power leaves the old ones or the new ones.
"""

import json
import sys
import time

_FOLDERS = ("/a", "/b", "/safe", "/lib")
_IDLE = 1000
_CONNECTING = 1001
_GOT_IP = 1010
_REASON_NONE = 0


def _config():
    for folder in ("",) + _FOLDERS:
        if folder:
            sys.path.append(folder)
        try:
            from phantom import config

            return config
        except Exception:  # a damaged file raises what it likes
            for name in [n for n in sys.modules if n.startswith("phantom")]:
                del sys.modules[name]
    return None


def _steady():
    # The reset to come is somebody's wish, no failed start of the code.
    loader = sys.modules.get("loader") or sys.modules.get("loader2")
    state = getattr(loader, "state", None)
    if state:
        state.steady()


def _join(wifi, limit_ms):
    """(address, None) once the board is in the network, or (None, the driver's reason)."""
    import network

    wlan = network.WLAN(network.WLAN.IF_STA)
    # A reason from before would end the wait at once; only switching off forgets it.
    wlan.active(False)
    wlan.active(True)
    try:
        # With endless attempts, as the device makes them, the driver never tells why.
        wlan.config(reconnects=2)
    except (ValueError, TypeError):
        pass
    wlan.connect(wifi["ssid"], wifi["key"])
    begun = time.ticks_ms()
    while time.ticks_diff(time.ticks_ms(), begun) < limit_ms:
        if wlan.isconnected():
            return wlan.ipconfig("addr4")[0], None
        status = wlan.status()
        if status not in (_IDLE, _CONNECTING, _GOT_IP):
            return None, status
        time.sleep_ms(50)
    return None, _REASON_NONE


def _silent(_):
    pass


def _settle(settings):
    config = _config()
    if config is None:
        return {"fault": "no firmware"}
    told = {}
    device = settings.get("device") or {}
    if "try" in settings:
        told["address"], told["refused"] = _join(settings["try"], settings["try_ms"])
        if told["refused"] is not None:
            return told
    try:
        if device:
            stored = config.load_or(config.DEVICE, {}, _silent)
            stored.update(device)
            config.save(config.DEVICE, stored)
        if "installation" in settings:
            house = settings["installation"]
            # Twice for a board that leaves one, so that no older copy holds its key.
            for _ in range(1 if house else 2):
                config.save("/installation.json", house)
    except OSError as error:
        told["fault"] = str(error)
        return told
    stored = config.load_or(config.DEVICE, {}, _silent)
    house = config.load_or("/installation.json", {}, _silent)
    told["name"] = stored.get("name")
    told["id"] = stored.get("id")
    told["house"] = house.get("name")
    return told


_steady()
print("PHANTOM", json.dumps(_settle(json.loads(SETTINGS))))
