"""`network` of the emulated board: a station interface that is up as soon as it is asked."""

from _board import facts
from _interface import address

STA_IF = 0
AP_IF = 1
STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010

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
        self._pm = WLAN.PM_PERFORMANCE

    def active(self, flag=None):
        if flag is None:
            return self._active
        self._active = bool(flag)
        return None

    def connect(self, ssid=None, key=None, *, bssid=None):
        self._connected = self._active

    def disconnect(self):
        self._connected = False

    def isconnected(self):
        return self._connected

    def status(self, what=None):
        if what == "rssi":
            return facts["rssi"]
        return STAT_GOT_IP if self._connected else STAT_IDLE

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
        if names:
            return {"pm": self._pm, "ssid": "emulated"}[names[0]]
        return None
