"""Safe mode: so little of a device that it comes up when nothing else does; it can be repaired.

It joins the Wi-Fi, says in its beacons that it is in safe mode and why, lets its installation in,
tells what is wrong, and takes uploads. It knows no time and plays nothing. It is loaded from
/safe, which updates leave alone.
"""

import asyncio
import gc
from time import sleep_ms, ticks_diff, ticks_ms

from . import VERSION, provision
from .adoption import Adoption
from .beacons import Beacons
from .listener import Listener
from .membership import Membership
from .port import board as hardware
from .properties import Properties
from .refusals import Refusals
from .rpc import REFUSED, Rpc, RpcError
from .spare import Spare
from .storage import Storage
from .updates import Updates
from .upkeep import Upkeep
from .uploads import Uploads
from .wire import RATE, const, discovery, mux

_CHORES_MS = const(50)
_GC_MS = const(1000)
# What made the code fail may have gone: after so long without anybody's help it is tried again.
_AGAIN_MS = const(900000)
_NOT_AGAIN = (discovery.DAMAGED_CODE, discovery.ASKED)


class SafeDevice:
    """What is left of a device. `boot` is the loader's State."""

    def __init__(self, board, device, faults, boot, spare):
        self.id = device["id"]
        self.name = device["name"]
        self._board = board
        self._wifi = device["wifi"]
        self._boot = boot
        self._spare = spare
        self.upkeep = Upkeep(boot)
        for text in faults:
            self.upkeep.fault(text, discovery.DAMAGED_CONFIG)
        self.membership = Membership(self.id, hardware.random_bytes, "", spare)
        self.upkeep.look_at(self.membership)
        self.properties = Properties()
        self._refusals = Refusals(self.properties)
        self._listener = Listener(
            self.membership,
            self._greet,
            self._lost,
            self._refusals.count,
            hardware.random_bytes,
            device["port"],
        )
        self._radio = hardware.Radio(self.id)
        self.beacons = Beacons(
            self.membership,
            self.name,
            self._radio,
            hardware.random32,
            device["port"],
            self.properties,
        )
        self.beacons.registrar.set_flag(discovery.SAFE_MODE, True, ticks_ms())
        self.uploads = Uploads(self._refusals.count)
        updates = Updates(
            boot,
            board["name"],
            self.membership,
            self.properties,
            _is_playing,
            None,
            hardware.random_bytes,
            self._restart,
        )
        updates.receive(self.uploads)
        self._services = (
            self.beacons,
            Adoption(self.membership, self._listener.drop_all, self._leave),
            self.uploads,
            updates,
            self.upkeep,
            Storage(self.upkeep),
            self._refusals,
            self.properties,
        )
        self.properties.declare("device.name", self.name)
        for name, value in self._info().items():
            if name != "name":
                self.properties.declare("device.info." + name, value, constant=True)
        self.upkeep.begin(self.beacons.registrar, self.properties, self._restart)
        self._task = None

    async def run(self):
        """Wait for help."""
        self._radio.join(self._wifi.get("ssid"), self._wifi.get("key"))
        self.membership.show_code()
        self._task = asyncio.create_task(self._chores())
        self.upkeep.watch()
        while True:
            now_ms = ticks_ms()
            self._listener.poll(now_ms)
            self.beacons.poll(now_ms)
            self.upkeep.poll()
            await asyncio.sleep_ms(hardware.IDLE_MS)

    async def _chores(self):
        collected = began = ticks_ms()
        while True:
            now = ticks_ms()
            self._listener.accept(now)
            for connection in self._listener.connections:
                connection.rpc.tick(now)
            if ticks_diff(now, collected) >= _GC_MS:
                collected = now
                gc.collect()
            for service in self._services:
                try:
                    service.chore(now)
                except Exception as error:
                    print("safe mode: a fault in", type(service).__name__, repr(error))
            if self.uploads.busy or self._boot.reason in _NOT_AGAIN:
                began = now
            elif ticks_diff(now, began) >= _AGAIN_MS:
                print("safe mode: trying again")
                self.upkeep.restart()
            await asyncio.sleep_ms(_CHORES_MS)

    def _greet(self, connection):
        rpc = Rpc(connection.send_message, mux.MAX_MESSAGE, refused=self._refusals.count)
        connection.rpc = rpc
        rpc.register("device.info", self._info)
        services = self._services if connection.member else self._services[1:2]
        for service in services:
            service.serve(connection)
        if connection.member:
            for name in ("renderer.open", "renderer.level"):
                rpc.register(name, self._no_sound)

    def _no_sound(self, **_):
        raise RpcError(REFUSED, "no sound here: safe mode, %s" % self.upkeep.reason)

    def _lost(self, connection):
        for service in self._services:
            service.lost(connection)

    def _farewell(self):
        for _ in range(3):
            self.beacons.goodbye()
            sleep_ms(30)

    def _restart(self):
        self._farewell()
        hardware.restart()

    def _leave(self):
        self._listener.drop_all()
        self._farewell()
        self.membership.leave()
        self._spare.forget()
        hardware.restart()

    def _info(self):
        return {
            "id": self.id,
            "name": self.name,
            "board": self._board["name"],
            "version": VERSION,
            "boot": self.membership.boot,
            "ring_bytes": 0,
            "dac_channels": 2,
            "ahead_us": 0,
            "codecs": [],
            "rate": RATE,
            "mode": "safe",
        }


def _is_playing():
    return False


def main(boot):
    """Run safe mode. Called by the loader, with its State; does not return."""
    spare = Spare(hardware.recall, hardware.keep)
    board, device, faults = provision.load(hardware.identity(), spare=spare)
    asyncio.run(SafeDevice(board, device, faults, boot, spare).run())
