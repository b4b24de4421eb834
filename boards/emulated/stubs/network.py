"""`network` of the emulated board: a station interface that is up as soon as it is asked.

Where the board was given Wi-Fis, {name: password}, it gets into those alone; with another name or
password the driver tries again for ever, or as often as `reconnects` allows, and only then tells
why (ports/esp32/network_wlan.c).
"""

from time import ticks_diff, ticks_ms

from _board import facts
from _interface import address

STA_IF = 0
AP_IF = 1
STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
STAT_NO_AP_FOUND = 201
STAT_WRONG_PASSWORD = 202
STAT_HANDSHAKE_TIMEOUT = 204

_REASON_4WAY_HANDSHAKE = 15  # what a wrong password looks like most often
_ATTEMPT_MS = 60  # some three seconds on a chip

_hostname = "mpy-esp32"


def hostname(name=None):
    global _hostname
    if name is None:
        return _hostname
    _hostname = name
    return None


class WLAN:
    IF_STA = 0
    IF_AP = 1
    PM_NONE = 0
    PM_PERFORMANCE = 1
    PM_POWERSAVE = 2

    def __init__(self, interface=STA_IF):
        self._interface = interface
        self._active = False
        self._connected = False
        self._reconnects = -1
        self._refusal = 0
        self._began = 0
        self._pm = WLAN.PM_PERFORMANCE

    def active(self, flag=None):
        if flag is None:
            return self._active
        self._active = bool(flag)
        return None

    def connect(self, ssid=None, key=None, *, bssid=None):
        if not self._active:
            raise OSError("Wifi Not Started")
        known = facts.get("wifis")
        self._refusal = 0
        if known is not None and ssid not in known:
            self._refusal = STAT_NO_AP_FOUND
        elif known is not None and known[ssid] != key:
            self._refusal = _REASON_4WAY_HANDSHAKE
        self._began = ticks_ms()
        self._connected = not self._refusal

    def disconnect(self):
        self._connected = False
        self._refusal = 0

    def isconnected(self):
        return self._connected

    def status(self, what=None):
        if what == "rssi":
            return facts["rssi"]
        if self._connected:
            return STAT_GOT_IP
        if not self._refusal:
            return STAT_IDLE
        if self._reconnects < 0:
            return STAT_CONNECTING
        limit = (self._reconnects + 1) * _ATTEMPT_MS
        return STAT_CONNECTING if ticks_diff(ticks_ms(), self._began) < limit else self._refusal

    def ifconfig(self, config=None):
        if config is None:
            return address() + (facts["address"], "0.0.0.0")
        return None

    def ipconfig(self, what):
        if what == "addr4":
            return address()
        raise ValueError("unknown config param")

    def config(self, *names, **values):
        if "pm" in values:
            self._pm = values["pm"]
        if "reconnects" in values:
            self._reconnects = values["reconnects"]
        if names:
            return {"pm": self._pm, "ssid": "emulated"}[names[0]]
        return None
