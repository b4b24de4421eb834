"""A chip on a network serial port (RFC 2217), which carries DTR and RTS as a pty does not.

pyserial's own PortManager speaks the protocol; here is the port it manages.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from typing import Any, cast

from serial import EIGHTBITS, PARITY_NONE, STOPBITS_ONE
from serial.rfc2217 import PortManager

from boards.emulated.rom.auto_reset import AutoReset, Start
from boards.emulated.rom.bare import MAC
from boards.emulated.rom.chips import Chip
from boards.emulated.rom.flash import FlashFile
from boards.emulated.rom.mask_rom import MaskRom

_POLL_SECONDS = 0.02


class _Adapter:
    """The port that PortManager manages: settings that change nothing, two lines that do."""

    def __init__(self) -> None:
        self.baudrate = 115200
        self.bytesize = EIGHTBITS
        self.parity = PARITY_NONE
        self.stopbits = STOPBITS_ONE
        self.xonxoff = self.rtscts = self.break_condition = False
        self.cts = self.dsr = self.ri = self.cd = False
        self.circuit = AutoReset()
        self.starts: list[Start] = []
        self._dtr = self._rts = False

    @property
    def dtr(self) -> bool:
        return self._dtr

    @dtr.setter
    def dtr(self, value: bool) -> None:
        self._set(value, self._rts)

    @property
    def rts(self) -> bool:
        return self._rts

    @rts.setter
    def rts(self, value: bool) -> None:
        self._set(self._dtr, value)

    def _set(self, dtr: bool, rts: bool) -> None:
        self._dtr, self._rts = dtr, rts
        start = self.circuit.lines(dtr, rts, time.monotonic())
        if start:
            self.starts.append(start)

    def reset_input_buffer(self) -> None:
        """Nothing is held back here."""

    def reset_output_buffer(self) -> None:
        """Nothing is held back here."""


class _Connection:
    """What PortManager writes its own words to."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def write(self, data: bytes) -> None:
        self._connection.sendall(data)


class NetworkPort:
    """A bare chip at `url`, for one tool at a time; only DTR and RTS reset it.

    `starts` lists what it was reset into.
    """

    def __init__(self, chip: Chip, flash: FlashFile, mac: bytes = MAC) -> None:
        self.rom = MaskRom(chip, flash, mac, modem_lines=True)
        self.starts: list[Start] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ended = threading.Event()
        self._adapter = _Adapter()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        """As pyserial takes it."""
        return f"rfc2217://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> NetworkPort:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(5)
        self._listener.close()

    def _serve(self) -> None:
        self.rom.reset("run")
        self._listener.settimeout(_POLL_SECONDS)
        while not self._ended.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                self._start()  # the last tool has let go of the lines, and gone
                continue
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                try:
                    self._relay(connection)
                except OSError:
                    continue  # the tool is gone

    def _relay(self, connection: socket.socket) -> None:
        # Both are what PortManager wants of a serial port and of a connection, and no more.
        port, out = cast("Any", self._adapter), cast("Any", _Connection(connection))
        manager = PortManager(port, out)
        while not self._ended.is_set():
            readable, _, _ = select.select([connection], [], [], _POLL_SECONDS)
            heard = b""
            if readable:
                data = connection.recv(65536)
                if not data:
                    return
                heard = b"".join(manager.filter(data))
            said = self._start()
            if heard and not self._adapter.circuit.held:
                said += self.rom.received(heard)
            if said:
                connection.sendall(b"".join(manager.escape(said)))

    def _start(self) -> bytes:
        """Start the chip if its lines say so; what it says."""
        start = self._adapter.circuit.due(time.monotonic())
        starts: list[Start] = [*self._adapter.starts, start] if start else [*self._adapter.starts]
        self._adapter.starts.clear()
        self.starts += starts
        return self.rom.reset(starts[-1]) if starts else b""
