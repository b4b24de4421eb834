"""A device: the parts put together, and the loop that turns them.

One task spins and does everything that has a deadline; it allocates nothing while nothing happens.
A second task does the rest a few times a second: accepting, reporting, collecting garbage.
"""

import asyncio
import gc
import sys
from time import sleep_ms, ticks_diff, ticks_ms, ticks_us

from micropython import const

from . import VERSION
from .adoption import Adoption
from .beacons import Beacons
from .chime import Chime
from .clock import HouseClock
from .house import House
from .listener import Listener
from .membership import Membership
from .output import Output
from .playback import Playback
from .properties import Properties
from .refusals import Refusals
from .renderer import IDLE, PLAYING, Renderer
from .rpc import REFUSED, Rpc, RpcError
from .storage import Storage
from .topology_copy import PATH as TOPOLOGY
from .topology_copy import TopologyCopy
from .updates import Updates
from .upkeep import Upkeep
from .uploads import Uploads
from .wire import CLOCK_PORT, LINK_PORT, RATE, audio, discovery, mux

if sys.implementation.name == "micropython":
    from .port import board as hardware
else:
    from .port import pc as hardware

_CHORES_MS = const(50)
_REPORT_MS = const(500)
_GC_MS = const(1000)
_BLOCK_US = const(5333)


class Device:
    """Everything that runs on one board, from its two config files.

    `faults` are texts for people: what was wrong with them. `boot` is the loader's State,
    `spare` a phantom.spare.Spare; a PC has neither.
    """

    def __init__(self, board, device, faults=(), boot=None, spare=None):
        self.upkeep = Upkeep(boot)
        for text in faults:
            known = board["dac"] is not None
            self.upkeep.fault(text, discovery.DAMAGED_CONFIG if known else discovery.NO_FACTS)
        self.id = device["id"]
        self.name = device.get("name", self.id)
        self._board = board
        # The largest blocks first, before the heap is cut up and before Wi-Fi takes its share.
        self._clock = HouseClock()
        dac = board["dac"] or {}
        self._dac_channels = dac.get("channels", 2)
        self._ring_bytes = board["ring_bytes"]
        self._renderer = Renderer(self._clock, self._ring_bytes)
        gc.collect()
        self._silent = None  # why nothing can be played
        self._codec = self._find_codec(dac.get("control"))
        i2s, descriptors = self._open_dac(dac)
        delay_us = dac.get("delay_us", 0)
        self._output = Output(i2s, descriptors, delay_us, self._renderer, ticks_us())
        self._descriptors = descriptors
        folder = device.get("folder", "")
        self.membership = Membership(self.id, hardware.random_bytes, folder, spare)
        self.properties = Properties()
        self._refusals = Refusals(self.properties)
        self._listener = Listener(
            self.membership,
            self._greet,
            self._lost,
            self._refusals.count,
            hardware.random_bytes,
            device.get("port", LINK_PORT),
        )
        self._radio = hardware.Radio(self.id)
        self._wifi = device.get("wifi", {})
        self._playback = Playback(
            self._renderer, self._output, self._clock, self._listener, self.properties
        )
        self.beacons = self._discovery(device.get("port", LINK_PORT))
        self._house = House(
            self.id,
            self._clock,
            hardware.random32,
            self.beacons.registrar,
            self.properties,
            device.get("clock_port", CLOCK_PORT),
            hardware.IPV6,
        )
        self._chime = Chime(self._playback, self._renderer, self._clock, self.properties)
        self._topology = TopologyCopy(
            self.id,
            self.name,
            self.properties,
            self._is_playing,
            self._obey,
            folder + TOPOLOGY,
        )
        self._adoption = Adoption(self.membership, self._listener.drop_all, self._leave)
        self.uploads = Uploads(self._refusals.count, self._breathe)
        self.updates = None if boot is None else self._updates(boot)
        self._spare = spare
        # Properties go last: what other services' chores have set is told at once.
        self._services = (
            self._playback,
            self._topology,
            self.beacons,
            self._house,
            self._chime,
            self._adoption,
            self.uploads,
            self.upkeep,
            self._refusals,
            self.properties,
        )
        if self.updates is not None:
            self._services = (self.updates,) + self._services
        if self._codec is not None:
            self._services = (self._codec,) + self._services
        self._look_after(spare)
        self._declare()
        self._topology.begin()
        self._loop_max_us = 0
        self._gc_max_us = 0
        self._short_of_memory = 0  # times that a chore could not be done for want of it
        self._heap_live = 0  # bytes in use after the last collection
        self._task = None  # the chores, once running
        if self._codec is not None:
            self._codec.start()  # I2S's clocks have run for a while, as some want it

    def _updates(self, boot):
        renderer = self._renderer
        updates = Updates(
            boot,
            self._board["name"],
            self.membership,
            self.properties,
            self._is_playing,
            lambda: (renderer.state == PLAYING, renderer.underruns, renderer.error_us()),
            hardware.random_bytes,
            self._restart,
        )
        updates.receive(self.uploads)
        return updates

    def _open_dac(self, dac):
        if dac:
            try:
                return hardware.open_dac(dac)
            except (OSError, ValueError) as error:
                text = "board.json: the DAC can't be opened: %s" % error
                self.upkeep.fault(text, discovery.NO_FACTS)
                print(text)
        self._silent = "; ".join(self.upkeep.faults)
        return hardware.NoDac(), 2

    def _find_codec(self, control):
        # Loaded only where there is one. Its amplifier is off from here on, until it plays.
        if control is None:
            return None
        from .codecs import Codec

        try:
            bus, enable = hardware.open_control(control)
        except (OSError, ValueError) as error:
            text = "board.json: dac.control can't be opened: %s" % error
            self.upkeep.fault(text, discovery.NO_FACTS)
            print(text)
            return None
        return Codec(control, bus, enable, self.upkeep)

    def _discovery(self, port):
        return Beacons(
            self.membership, self.name, self._radio, hardware.random32, port, self.properties
        )

    def _look_after(self, spare):
        self.upkeep.look_at(self.membership)
        if self._topology.fault:
            self.upkeep.fault(self._topology.fault, discovery.DAMAGED_CONFIG)
        self.upkeep.begin(self.beacons.registrar, self.properties, self._restart)
        if spare is not None:
            spare.playing = self._is_playing
            self.membership.watch(spare.changed)
            own = (spare, Storage(self.upkeep, self._is_playing))
            self._services = own + self._services
            self.upkeep.mend(self._is_playing)

    def _declare(self):
        self.properties.declare("device.name", self.name)
        for name, value in self._info().items():
            if name != "name":
                self.properties.declare("device.info." + name, value, constant=True)

    # The loop

    async def run(self):
        """Join the network and serve until the board restarts."""
        self._radio.join(self._wifi.get("ssid"), self._wifi.get("key"))
        self.membership.show_code()
        self._task = asyncio.create_task(self._chores())
        self.upkeep.watch()
        guard = self.upkeep.poll
        pump = self._output.pump
        house = self._house.poll
        link = self._listener.poll
        beacons = self.beacons.poll
        last = ticks_us()
        while True:
            now = ticks_us()
            spent = ticks_diff(now, last)
            if spent > self._loop_max_us:
                self._loop_max_us = spent
            last = now
            pump()
            now_ms = ticks_ms()
            house(now, now_ms)
            link(now_ms)
            beacons(now_ms)
            guard()
            await asyncio.sleep_ms(hardware.IDLE_MS)

    async def _chores(self):
        reported = ticks_ms()
        collected = ticks_ms()
        while True:
            now = ticks_ms()
            self._listener.accept(now)
            for connection in self._listener.connections:
                if connection.rpc is not None:
                    connection.rpc.tick(now)
            if ticks_diff(now, reported) >= _REPORT_MS:
                reported = now
                self._report()
            elif ticks_diff(now, collected) >= _GC_MS:
                collected = now
                self._collect()
            for service in self._services:
                self._chore(service, now)
            self._clock.unwrap(ticks_us())
            await asyncio.sleep_ms(_CHORES_MS)

    def _chore(self, service, now):
        # One that fails costs nobody else anything: no chore matters more than the music.
        try:
            service.chore(now)
        except MemoryError:
            self._short_of_memory += 1
            self._collect()
        except Exception as error:
            print("device: a fault in", type(service).__name__, repr(error))

    def _collect(self):
        self._breathe()
        before = ticks_us()
        gc.collect()
        self._heap_live = gc.mem_alloc()
        spent = ticks_diff(ticks_us(), before)
        if spent > self._gc_max_us:
            self._gc_max_us = spent

    def _breathe(self):
        # Right after the DAC's ring has been filled there are its 85 ms to spend.
        while self._output.pump():
            pass

    # Peers

    def _is_playing(self):
        return self._renderer.state != IDLE

    def _obey(self, facts):
        """What the topology says of this device."""
        self.name = facts["name"]
        self.properties.set("device.name", self.name)
        self.beacons.registrar.set_name(self.name, ticks_ms())
        self._playback.tune(facts["trim_us"], facts["level_db10"], facts["max_volume"])

    def _no_sound(self, **_):
        raise RpcError(REFUSED, "no sound here: %s" % self._silent)

    def _greet(self, connection):
        rpc = Rpc(connection.send_message, mux.MAX_MESSAGE, refused=self._refusals.count)
        connection.rpc = rpc
        rpc.register("device.info", self._info)
        if not connection.member:
            self._adoption.serve(connection)
            return
        for service in self._services:
            service.serve(connection)
        if self._silent is not None:
            rpc.register("renderer.open", self._no_sound)

    def _restart(self):
        for _ in range(3):
            self.beacons.goodbye()
            sleep_ms(30)
        self._reset()

    def _reset(self):
        if self._codec is not None:
            self._codec.stop()  # an amplifier without a clock may hum or click
        hardware.restart()

    def _leave(self):
        """Forget the house, and start as a new device: nothing of it stays in memory either."""
        self._listener.drop_all()
        for _ in range(3):  # as a member of the house yet
            self.beacons.goodbye()
            sleep_ms(30)
        self._topology.erase()
        self.membership.leave()
        if self._spare is not None:
            self._spare.forget()
        self._reset()

    def _lost(self, connection):
        for service in self._services:
            service.lost(connection)

    def _info(self):
        return {
            "id": self.id,
            "name": self.name,
            "board": self._board["name"],
            "version": VERSION,
            "boot": self.membership.boot,
            "ring_bytes": self._ring_bytes,
            "dac_channels": self._dac_channels,
            "ahead_us": self._descriptors * _BLOCK_US,
            "codecs": sorted(audio.CODECS),
            "codec": self._board.get("codec"),
            "lead_ms": self._board.get("lead_ms"),
            "rate": RATE,
        }

    # What others may know

    def _report(self):
        if not self._listener.connections:
            return
        report = self._playback.report()
        report["heap_live"] = self._heap_live
        report["short_of_memory"] = self._short_of_memory
        report["loop_max_us"] = self._loop_max_us
        report["gc_max_us"] = self._gc_max_us
        report["rssi"] = self._radio.rssi()
        report["refused"] = self._house.refused + self._refusals.total()
        self._loop_max_us = 0
        self._gc_max_us = 0
        for connection in self._listener.connections:
            if connection.member:
                connection.rpc.notify("renderer.report", report)


def main(boot=None):
    """Run this board. Called by the loader, with its State; does not return."""
    from . import provision
    from .spare import Spare

    spare = Spare(hardware.recall, hardware.keep)
    board, device, faults = provision.load(hardware.identity(), spare=spare)
    # Its work is done, and a board has uses for the memory.
    del provision, sys.modules["phantom.provision"]
    delattr(sys.modules["phantom"], "provision")
    gc.collect()
    hardware.full_speed(board["max_hz"])  # pyright: ignore[reportArgumentType]
    asyncio.run(Device(board, device, faults, boot, spare).run())
