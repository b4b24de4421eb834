"""The board's hardware: clock speed, DAC, Wi-Fi, identity. Nothing else imports `machine`."""

import os
import select
from asyncio import core  # pyright: ignore[reportAttributeAccessIssue]

import esp32
import machine
import network
from machine import I2C, I2S, Pin
from micropython import const

IPV6 = False  # stock MicroPython speaks IPv4 only
IDLE_MS = const(0)  # the loop never rests

_SPARE_BYTES = const(4000)  # the longest blob that NVS takes
_FRAME_BYTES = const(4)
_DESCRIPTOR_FRAMES = const(256)  # fixed in ports/esp32/machine_i2s.c


def full_speed(hz):
    """Stock images start at 160 MHz; `hz` is the board's best."""
    try:
        machine.freq(hz)
    except ValueError:
        # The image can't: play on at what there is.
        print("board: can't run at", hz, "Hz")


def identity():
    """The chip's own id as hex digits."""
    return machine.unique_id().hex()


def random32():
    """A number that another boot or board does not have."""
    return int.from_bytes(os.urandom(4), "little")


def random_bytes(count):
    """Bytes from the chip's noise source, which is at its best while the radio is on."""
    return os.urandom(count)


def restart():
    """Start over as after power-on."""
    machine.reset()


_NVS = ("phantom", "spare")  # namespace and key


def recall():
    """What `keep` was given last, or None."""
    nvs = esp32.NVS(_NVS[0])
    buffer = bytearray(_SPARE_BYTES)
    try:
        size = nvs.get_blob(_NVS[1], buffer)
    except OSError:  # nothing yet, or damaged
        return None
    return bytes(buffer[:size])


def keep(octets):
    """Have bytes outlive the file system, in NVS. Raises OSError. Stalls as any flash write."""
    nvs = esp32.NVS(_NVS[0])
    nvs.set_blob(_NVS[1], octets)
    nvs.commit()


class NoDac:
    """Stands where I2S would: a board that knows no pins takes no sound, and does the rest."""

    def write(self, block):
        """Take nothing."""
        return 0


def open_dac(dac):
    """(I2S in asyncio mode, number of its descriptors) for a board's `dac` facts.

    Raises ValueError or OSError if they do not fit the chip.
    """
    ibuf = dac["ibuf"]
    i2s = I2S(
        dac.get("i2s", 0),
        sck=Pin(dac["sck"]),
        ws=Pin(dac["ws"]),
        sd=Pin(dac["sd"]),
        mode=I2S.TX,
        bits=16,
        format=I2S.STEREO,
        rate=48000,
        ibuf=ibuf,
    )
    # The first poll switches to asyncio mode for good: writes return at once with what they took.
    poller = select.poll()
    poller.register(i2s, select.POLLOUT)
    poller.poll(0)
    poller.unregister(i2s)
    return i2s, max(2, ibuf // (_DESCRIPTOR_FRAMES * _FRAME_BYTES))


def open_control(control):
    """(I2C, the pin that enables what is behind it, or None) for `dac.control` facts.

    The pin is low: what it enables is off. Raises ValueError or OSError where it does not fit.
    """
    pin = control.get("enable")
    enable = None if pin is None else Pin(pin, Pin.OUT, value=0)
    bus = I2C(control["i2c"], scl=Pin(control["scl"]), sda=Pin(control["sda"]), freq=control["hz"])
    return bus, enable


def readable(sock):
    """Await this until a socket has something to read. The event loop looks at it once a turn."""
    yield core._io_queue.queue_read(sock)


class Radio:
    """The Wi-Fi station."""

    def __init__(self, hostname):
        network.hostname(hostname)
        self._wlan = network.WLAN(network.WLAN.IF_STA)

    def join(self, ssid, key):
        """Connect and stay connected; the driver reconnects by itself, for ever."""
        wlan = self._wlan
        wlan.active(True)
        # Power save answers after up to a second; awake it is 2 to 7 ms.
        wlan.config(pm=wlan.PM_NONE)
        try:
            wlan.connect(ssid, key)
        except OSError as error:  # no network is known, say
            print("board: can't join the Wi-Fi", ssid, error)

    def connected(self):
        """Whether there is an address."""
        return self._wlan.isconnected()

    def network(self):
        """(our IPv4 address, the one that broadcasts to our network), or None without one."""
        if not self._wlan.isconnected():
            return None
        address, mask = self._wlan.ipconfig("addr4")
        if address == "0.0.0.0":
            return None
        everybody = [
            str(int(a) | (~int(m) & 255)) for a, m in zip(address.split("."), mask.split("."))
        ]
        return address, ".".join(everybody)

    def rssi(self):
        """Signal strength, dBm, or None if the driver does not tell."""
        try:
            return self._wlan.status("rssi")
        except (OSError, ValueError):
            return None
